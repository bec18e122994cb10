//! `jumak serve`: one or some contexts in the mesh, until told to stop.

use std::{net::SocketAddr, path::PathBuf};

use mesh::{config::Config, telemetry::Telemetry};

use super::{
    output,
    place::{Configured, address},
    signals::{INTERRUPTED, Signals},
    up::announce,
    watchdog,
};
use crate::{
    house::Member,
    serve::{Options, Server},
};

/// Run one or some of the contexts, as parts of a mesh.
///
/// Their databases, the bus, the other contexts' addresses and everybody's public keys are configured; all that is missing is said at
/// once. What is not there yet is waited for, up to start_deadline_ms, while health checks are told NOT_SERVING. SIGTERM or Ctrl-C
/// stops: what is under way is finished first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The contexts; those in one process call each other in it
    #[arg(value_name = "CONTEXT", required = true)]
    contexts: Vec<Member>,
    #[command(flatten)]
    configured: Configured,
    /// Where to take calls; port 0 takes a free one [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The folder for a SQLite file of each context whose database is not configured; for one replica only
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave the databases as they are: wait until `jumak migrate` has brought them up to date
    #[arg(long)]
    no_migrate: bool,
}

/// Starts the contexts, says where they are, and stops them on a signal.
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
        // Nothing is under way yet.
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
