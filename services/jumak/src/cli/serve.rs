//! `jumak serve`: runs one or several contexts in a mesh, until a signal.

use std::{net::SocketAddr, path::PathBuf};

use mesh::{config::Config, telemetry::Telemetry};

use super::{
    options::{ConfigOption, address},
    output,
    signals::{INTERRUPTED, Signals},
    up::announce,
    watchdog,
};
use crate::{
    house::Member,
    serve::{Options, Server},
};

/// Run one or several contexts, as parts of a mesh.
///
/// The configuration names their databases, the bus, the other contexts' addresses and all public keys; one error lists everything that
/// is missing. A database or bus that is not available yet is waited for, up to start_deadline_ms; until then health checks get
/// NOT_SERVING. SIGTERM or Ctrl-C stops; calls in hand are finished first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The contexts; contexts of one process call each other in process
    #[arg(value_name = "CONTEXT", required = true)]
    contexts: Vec<Member>,
    #[command(flatten)]
    configured: ConfigOption,
    /// The address for calls; port 0 takes a free port [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The folder for SQLite files, one for each context without a configured database; for one replica only
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Do not migrate the databases: wait until `jumak migrate` has done so
    #[arg(long)]
    no_migrate: bool,
}

/// Starts the contexts, prints their address, and stops them on a signal.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.configured.load_for(args.listen)?;
    let mut members = args.contexts.clone();
    members.sort();
    members.dedup();
    let names: Vec<_> = members.iter().map(|member| member.name()).collect();
    let telemetry = Telemetry::start(&config, &format!("jumak-{}", names.join("-"))).await?;
    let ended = serve(args, config, members).await;
    telemetry.stop().await;
    ended
}

async fn serve(args: &Args, config: Config, members: Vec<Member>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let drain_deadline = config.drain_deadline();
    let names: Vec<_> = members.iter().map(|member| member.name()).collect();
    let options = Options { data: args.data.clone(), migrate: !args.no_migrate, ..Options::new(members, config) };
    let server = tokio::select! {
        started = Server::start(options) => started?,
        // No call is in hand yet.
        () = signals.next() => std::process::exit(INTERRUPTED),
    };
    announce(format_args!("{} ready at {}", names.join(", "), server.address()));

    tokio::select! {
        () = signals.next() => {}
        () = server.ended() => {}
    }
    output::note("stopping; a second signal exits at once");
    watchdog::start(drain_deadline)?;
    tokio::select! {
        stopped = server.stop() => stopped,
        () = signals.next() => std::process::exit(INTERRUPTED),
    }
}
