//! `jumak up`: runs everything in one process, until a signal.

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
    options::{ConfigOption, DataOption, address},
    output,
    signals::{INTERRUPTED, Signals},
    watchdog,
};
use crate::embedded::{Data, Member, Options, System};

/// If a start takes longer, the user is told so.
const PATIENCE: Duration = Duration::from_secs(2);

/// Run everything in one process.
///
/// The first start makes the data folder, the databases and the keys. Ctrl-C stops; calls in hand are finished first. A second Ctrl-C
/// exits at once; committed data is safe then too.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataOption,
    #[command(flatten)]
    configured: ConfigOption,
    /// The address for calls; port 0 takes a free port [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Keep no data: use a temporary folder and ignore --data
    #[arg(long)]
    ephemeral: bool,
    /// Leave out a supporting context; the others run without it
    #[arg(long, value_name = "CONTEXT", value_parser = supporting())]
    without: Vec<Member>,
}

/// The parser for the name of a context that may be left out.
fn supporting() -> impl TypedValueParser<Value = Member> {
    let names = Member::ALL.into_iter().filter(|member| member.is_optional());
    PossibleValuesParser::new(names.filter_map(|member| member.to_possible_value()))
        .try_map(|name| Member::named(&name).ok_or("no such context"))
}

/// Starts the system, prints what to type next, and stops it on a signal.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let config = args.configured.load_for(args.listen)?;
    let telemetry = Telemetry::start(&config, "jumak").await?;
    let ended = up(args, config, telemetry.metrics_address(), begun).await;
    telemetry.stop().await;
    ended
}

async fn up(args: &Args, config: Config, metrics: Option<SocketAddr>, begun: Instant) -> anyhow::Result<()> {
    let data = if args.ephemeral { Data::Ephemeral } else { Data::Folder(args.data.folder()?.path().to_owned()) };
    let mut signals = Signals::new()?;
    let drain_deadline = config.drain_deadline();
    let config_file = args.configured.config.clone();
    let options = Options { config_file: config_file.clone(), ..Options::new(config, data) }.without(&args.without);
    let system = tokio::select! {
        started = patiently(System::start(options)) => started?,
        // No call is in hand yet.
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

/// Prints where a server is. If standard output cannot be written, the server runs all the same.
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
                output::note("still starting: opening and migrating the databases …");
            }
        }
    }
}
