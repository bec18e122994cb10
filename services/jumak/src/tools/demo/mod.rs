//! Stories: a system's requirements, told one after the other against a running system, and each of them checked as it is told.

mod expect;
mod hotel;
pub(crate) mod people;
mod stage;
mod teller;

use std::io::{self, Write};

use clap::ValueEnum;

use self::{hotel::Hotel, stage::Stage, teller::Teller};
use crate::cli::{
    line::TlsOptions,
    output::Unprinted,
    place::{Configured, Place},
    target::{MESH, local_mesh},
};

/// Whose story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// A room is registered, found, booked, paid, looked up and cancelled
    Hotel,
}

/// Tell a system's story, one requirement per line, and check each.
///
/// Without --target, the story is told on a system of its own that is gone afterwards, and ends with the audit. With it, it is told on
/// a system that is running, by people and with a room of its own; their tokens are made with the keys in the data folder. Ends with
/// status 1 at the first line that does not hold.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The story
    story: Story,
    /// The server to tell it on, at http:// or https://, or `mesh` for the local mesh [default: a system of its own]
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: Configured,
}

/// Tells the story; false means that a line of it does not hold.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let stage = match args.target.as_deref() {
        Some(MESH) => Stage::on_mesh(&args.tls.over_config(local_mesh(&args.configured)?)).await?,
        Some(target) => {
            let config = args.tls.over_config(args.configured.load()?);
            Stage::at(target, &args.place.folder()?, &config).await?
        }
        None => Stage::of_its_own().await?,
    };
    let mut teller = Teller::new(Audience);
    let told = match args.story {
        Story::Hotel => Hotel::on(&stage)?.tell(&mut teller).await,
    };
    // Also when nobody listens any more.
    let (summed_up, cleared) = (teller.sum_up(told.is_ok()), stage.clear().await);
    summed_up.map_err(Unprinted)?;
    cleared?;
    // What does not hold was said on its line.
    Ok(told.is_ok())
}

/// Whoever reads standard output.
struct Audience;

impl Write for Audience {
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
        let ended = Hotel::on(&stage).unwrap().tell(&mut Teller::new(&mut told)).await;
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
