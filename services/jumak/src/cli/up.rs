//! `jumak up`: everything in one process, until it is told to stop.

mod banner;

use std::{
    fmt::Display,
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mesh::{config::Config, telemetry::Telemetry};

use super::{
    output,
    place::{Configured, Place, address},
    signals::{INTERRUPTED, Signals},
    watchdog,
};
use crate::embedded::{Data, Member, Options, System};

/// A start that takes longer says so: somebody is waiting.
const PATIENCE: Duration = Duration::from_secs(2);

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
    #[arg(long, value_name = "CONTEXT", value_parser = supporting())]
    without: Vec<Member>,
}

/// Reads the name of a context that may be left out.
fn supporting() -> impl TypedValueParser<Value = Member> {
    let names = Member::ALL.into_iter().filter(|member| member.is_optional());
    PossibleValuesParser::new(names.filter_map(|member| member.to_possible_value()))
        .try_map(|name| Member::named(&name).ok_or("no such context"))
}

/// Starts the system, says what to type next, and stops it on a signal.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let config = args.configured.load_for(args.listen)?;
    let telemetry = Telemetry::start(&config, "jumak").await?;
    let ended = up(args, config, telemetry.metrics_address(), begun).await;
    telemetry.stop().await;
    ended
}

async fn up(args: &Args, config: Config, metrics: Option<SocketAddr>, begun: Instant) -> anyhow::Result<()> {
    let data = if args.ephemeral { Data::Ephemeral } else { Data::Folder(args.place.folder()?.path().to_owned()) };
    let mut signals = Signals::new()?;
    let drain_deadline = config.drain_deadline();
    let config_file = args.configured.config.clone();
    let options = Options { config_file: config_file.clone(), ..Options::new(config, data) }.without(&args.without);
    let system = tokio::select! {
        started = patiently(System::start(options)) => started?,
        // Nothing is under way yet.
        () = signals.next() => std::process::exit(INTERRUPTED),
    };
    let banner = banner::banner(&system, config_file.as_deref(), metrics, begun.elapsed())?;
    announce(banner);

    tokio::select! {
        () = signals.next() => {}
        () = system.ended() => {}
    }
    output::note("stopping; Ctrl-C again exits at once");
    watchdog::start(drain_deadline)?;
    tokio::select! {
        stopped = system.stop() => stopped,
        () = signals.next() => std::process::exit(INTERRUPTED),
    }
}

/// Prints where a server is. One that nobody reads serves all the same, and is stopped like any other.
pub(super) fn announce(text: impl Display) {
    if let Err(error) = output::line(text) {
        tracing::warn!(error = &error.0 as &dyn std::error::Error, "failed to write to standard output");
    }
}

async fn patiently<T>(starting: impl Future<Output = T>) -> T {
    let mut starting = std::pin::pin!(starting);
    loop {
        match tokio::time::timeout(PATIENCE, &mut starting).await {
            Ok(started) => return started,
            Err(_) => {
                output::note("still starting: the databases are being opened and brought up to date …");
            }
        }
    }
}
