//! `jumak up`: everything in one process, until it is told to stop.

mod banner;
mod signals;

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mesh::{config::Config, telemetry};

use self::signals::Signals;
use super::{
    output,
    place::{Configured, Place},
};
use crate::embedded::{Data, Optional, Options, System};

/// A start that takes longer says so: somebody is waiting.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a shell expects of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Run everything in one process.
///
/// The first start makes the data folder, the databases and the keys. Ctrl-C stops: what is under way is finished first. A second
/// Ctrl-C exits at once, which loses nothing either.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    configured: Configured,
    /// Where to take calls; port 0 takes a free one [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Keep nothing: all data is in a temporary folder, whatever --data says
    #[arg(long)]
    ephemeral: bool,
    /// Leave a supporting context out; the others do without it
    #[arg(long, value_name = "CONTEXT")]
    without: Vec<Optional>,
}

/// Starts the system, says what to type next, and stops it on a signal.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let config = config(args)?;
    telemetry::init(&config.log)?;
    let data = if args.ephemeral { Data::Ephemeral } else { Data::Folder(args.place.folder()?.path().to_owned()) };
    let mut signals = Signals::new()?;
    let config_file = args.configured.config.clone();
    let without = args.without.iter().copied().collect();
    let options = Options { without, config_file: config_file.clone(), ..Options::new(config, data) };
    let system = tokio::select! {
        started = patiently(System::start(options)) => started?,
        // Nothing is under way yet.
        () = signals.next() => std::process::exit(INTERRUPTED),
    };
    output::line(banner::banner(&system, config_file.as_deref(), begun.elapsed())?)?;

    tokio::select! {
        () = signals.next() => {}
        () = system.ended() => {}
    }
    eprintln!("stopping; Ctrl-C again exits at once");
    tokio::select! {
        stopped = system.stop() => stopped,
        () = signals.next() => std::process::exit(INTERRUPTED),
    }
}

/// The configuration, in which the option stands for the variable of that name, so that its value is checked like any other.
fn config(args: &Args) -> anyhow::Result<Config> {
    let Some(listen) = args.listen else { return args.configured.load() };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .chain([("JUMAK_LISTEN".to_owned(), listen.to_string())]);
    Ok(Config::from_sources(args.configured.config.as_deref(), environment)?)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address with a port, as in 127.0.0.1:8088"))
}

async fn patiently<T>(starting: impl Future<Output = T>) -> T {
    let mut starting = std::pin::pin!(starting);
    loop {
        match tokio::time::timeout(PATIENCE, &mut starting).await {
            Ok(started) => return started,
            Err(_) => eprintln!("still starting: the databases are being opened and brought up to date …"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_answered_with_one() {
        assert_eq!(address("[::1]:0").unwrap().port(), 0);
        for text in ["", "foo", "8088", "127.0.0.1", "localhost:8088"] {
            assert!(address(text).unwrap_err().contains("as in 127.0.0.1:8088"), "{text}");
        }
    }
}
