//! One run: setup, load, comparisons, audit.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Args,
    compare::{self, BaselineLoad, Comparisons},
    drive::{Load, drive},
    progress::Progress,
    report::Run,
    schedule::Pace,
    setup,
    target::Target,
    workload::{Client, Party},
};
use crate::cli::{
    output,
    signals::{INTERRUPTED, Signals},
    target::{MESH, local_mesh, local_mesh_postgres},
};

/// The most time that a run takes besides measuring. Its users' tokens are valid for that much longer.
const BESIDES: Duration = Duration::from_secs(10 * 60);

/// A token that is cancelled by the first Ctrl-C. A second one exits at once.
pub fn stop_on_interrupt() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    // Waits for the user, for as long as the process runs.
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        stopping.cancel();
        output::note("stopping; Ctrl-C again exits at once");
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(stop)
}

/// Measures once. None if it was stopped before the measurement began.
pub async fn once(args: &Args, stop: &CancellationToken) -> anyhow::Result<Option<Run>> {
    let connections = usize::from(args.connections);
    let target = match args.target.as_deref() {
        None => Target::of_its_own(connections).await?,
        Some(MESH) => Target::mesh(connections, args.tls.over_config(local_mesh(&args.configured)?)).await?,
        Some(target) => {
            let config = args.tls.over_config(args.configured.load()?);
            Target::at(target, connections, args.data.folder()?, config).await?
        }
    };
    let measured = on_target(args, &target, stop).await;
    // Also after a failure.
    target.clear().await?;
    measured
}

async fn on_target(args: &Args, target: &Target, stop: &CancellationToken) -> anyhow::Result<Option<Run>> {
    let clients = usize::from(args.clients);
    let parties = tokio::select! {
        parties = arrive(args, target) => parties?,
        // Nothing has been measured yet.
        () = stop.cancelled() => return Ok(None),
    };
    let mut comparisons = match (args.no_compare, parties.first()) {
        (false, Some(party)) => {
            let load = BaselineLoad::new(clients, args.connections.into(), args.duration);
            let samples = party.samples(args.workload).await?;
            say(args, format_args!("measuring the baselines …"));
            let postgres = args.postgres.clone().or_else(|| mesh_postgres(args));
            Some(Comparisons::of(args.workload, samples, load, postgres.as_deref()).await)
        }
        _ => None,
    };
    if let Some(comparisons) = &mut comparisons {
        comparisons.measure().await;
    }
    if stop.is_cancelled() {
        if let Some(comparisons) = comparisons {
            comparisons.finish(None).await;
        }
        return Ok(None);
    }

    let charged = target.charges().await?;
    let load = Load { pace: args.pace(), warmup: args.warmup, duration: args.duration };
    let clients = parties.iter().map(|party| Client { party: party.clone(), workload: args.workload }).collect();
    let done = Arc::default();
    let begun = Instant::now();
    let progress = Progress::show(args.json, args.warmup + args.duration, Arc::clone(&done), stop.clone());
    let measured = drive(clients, load, done, stop).await;
    drop(progress);
    let interrupted = stop.is_cancelled();
    let heard = match &measured {
        Ok(measured) if measured.seen.confirmed > 0 => {
            let shown = all_are_shown(parties).await;
            if let Err(error) = &shown {
                output::note(format_args!("failed to measure how fast consumers handled the bookings: {error:#}"));
            }
            shown.ok().map(|()| measured.seen.confirmed as f64 / begun.elapsed().as_secs_f64())
        }
        _ => None,
    };
    say(args, format_args!("proving the books …"));
    let books = target.books(args.settle).await;

    // After the audit, so that no event is still being handled and disturbs the measurement.
    let mut compared = Vec::new();
    if let Some(mut comparisons) = comparisons {
        if !interrupted {
            comparisons.measure().await;
        }
        let measured = measured.as_ref().ok().filter(|_| load.pace == Pace::Closed);
        let pace = measured.map(|measured| compare::Pace { answered: measured.per_second(), heard });
        compared = comparisons.finish(pace).await;
    }
    let mut run = Run::of(&measured?, interrupted, compared, books?);
    run.heard_per_second = heard;
    run.charges = target.charges().await?.zip(charged).map(|(now, before)| now.saturating_sub(before));
    Ok(Some(run))
}

/// Waits until my page shows the newest booking of every client.
async fn all_are_shown(parties: Vec<Party>) -> anyhow::Result<()> {
    let mut waiting = JoinSet::new();
    for party in parties {
        waiting.spawn(async move { party.is_shown().await });
    }
    while let Some(shown) = waiting.join_next().await {
        shown??;
    }
    Ok(())
}

/// The local mesh's PostgreSQL, if that mesh is measured, so that the yardstick runs on the same server.
fn mesh_postgres(args: &Args) -> Option<String> {
    if args.target.as_deref() == Some(MESH) && args.configured.config.is_none() { local_mesh_postgres() } else { None }
}

async fn arrive(args: &Args, target: &Target) -> anyhow::Result<Vec<Party>> {
    let lifetime = args.warmup + args.duration + BESIDES;
    say(args, format_args!("registering {} rooms …", args.rooms));
    let stock = setup::stock(target, args.rooms, lifetime).await?;
    setup::parties(target, &stock, args.clients.into(), args.workload.reads(), lifetime).await
}

/// Prints what the run does now, if standard error is a terminal.
fn say(args: &Args, what: std::fmt::Arguments<'_>) {
    use std::io::IsTerminal;
    if !args.json && std::io::stderr().is_terminal() {
        output::note(what);
    }
}
