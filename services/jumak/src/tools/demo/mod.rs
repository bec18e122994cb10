//! `jumak demo`: plays a story, which is a list of requirements, on a running system, and checks each requirement.

mod expect;
mod hotel;
pub(crate) mod people;
mod reporter;
mod stage;

use std::io::{self, Write};

use clap::ValueEnum;

use self::{hotel::Hotel, reporter::Reporter, stage::Stage};
use crate::cli::{
    connect::TlsOptions,
    options::{ConfigOption, DataOption},
    output::Unprinted,
    target::{MESH, local_mesh},
};

/// The stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// A room is registered, found, booked, paid, looked up and cancelled
    Hotel,
}

/// Play a story, one requirement per line, and check each.
///
/// Without --target, the story starts a temporary system and ends with the audit. With --target, it runs on that system, with users and a
/// room of its own; it makes their tokens with the keys in the data folder. At the first line that does not hold it ends with status 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The story
    story: Story,
    /// The server's http:// or https:// address, or `mesh` for the local mesh [default: a temporary system]
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: ConfigOption,
}

/// Plays the story; false means that a line of it does not hold.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let stage = match args.target.as_deref() {
        Some(MESH) => Stage::on_mesh(&args.tls.over_config(local_mesh(&args.configured)?)).await?,
        Some(target) => {
            let config = args.tls.over_config(args.configured.load()?);
            Stage::at(target, &args.data.folder()?, &config).await?
        }
        None => Stage::of_its_own().await?,
    };
    let mut reporter = Reporter::new(Stdout);
    let told = match args.story {
        Story::Hotel => Hotel::on(&stage)?.play(&mut reporter).await,
    };
    // Also if standard output is closed.
    let (summed_up, cleared) = (reporter.sum_up(told.is_ok()), stage.clear().await);
    summed_up.map_err(Unprinted)?;
    cleared?;
    // The line that does not hold has been printed.
    Ok(told.is_ok())
}

/// Standard output.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_hotels_story_holds_from_its_first_line_to_its_last() {
        let stage = Stage::of_its_own().await.unwrap();
        let mut told = Vec::new();
        let ended = Hotel::on(&stage).unwrap().play(&mut Reporter::new(&mut told)).await;
        let told = String::from_utf8(told).unwrap();
        ended.unwrap_or_else(|_| panic!("{told}"));
        for requirement in ["A1", "A2", "A3", "A4", "A5", "A6", "A11", "A16", "Z10"] {
            assert!(
                told.lines().any(|line| line.starts_with(&format!("{requirement:<4} ok "))),
                "{requirement}:\n{told}"
            );
        }
        stage.clear().await.unwrap();
    }
}
