//! Runs the clients of a load until its time is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    outcome::Outcome,
    recorder::Recorder,
    schedule::{Pace, Schedule},
};

/// How long to wait for operations that are still running when the time is over: longer than any call's deadline.
const LAST: Duration = Duration::from_secs(60);

/// An operation that a client repeats.
pub trait Operate: Send + Sync + 'static {
    /// Performs operation `number` of the load.
    fn operate(&self, number: u64) -> impl Future<Output = Outcome> + Send;
}

/// The size of a load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How operations follow one another.
    pub pace: Pace,
    /// How long clients run before anything is measured.
    pub warmup: Duration,
    /// How long to measure.
    pub duration: Duration,
}

/// The result of a load.
#[derive(Debug)]
pub struct Measured {
    /// The measurements of all clients.
    pub seen: Recorder,
    /// How long was actually measured.
    pub time: Duration,
}

impl Measured {
    /// Operations that succeeded, per second.
    pub fn per_second(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.seen.whole.summary().count as f64 / seconds } else { 0.0 }
    }
}

/// Runs the load with all `clients`, and ends early if `stop` is cancelled. `done` counts the operations that have ended.
pub async fn drive<O: Operate>(
    clients: Vec<O>,
    load: Load,
    done: Arc<AtomicU64>,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let schedule = Arc::new(Schedule::new(load.pace, load.warmup, load.duration));
    let mut busy = JoinSet::new();
    for client in clients {
        busy.spawn(work(client, schedule.clone(), done.clone(), stop.clone()));
    }
    let mut seen = Recorder::new()?;
    let stopped = tokio::select! {
        () = stop.cancelled() => Instant::now(),
        () = tokio::time::sleep_until(schedule.end()) => schedule.end(),
    };
    let last = Instant::now() + LAST;
    while let Some(ended) =
        tokio::time::timeout_at(last, busy.join_next()).await.context("an operation did not end in time")?
    {
        seen.merge(ended.context("a client panicked")??)?;
    }
    Ok(Measured { seen, time: schedule.measured_for(stopped) })
}

async fn work<O: Operate>(
    client: O,
    schedule: Arc<Schedule>,
    done: Arc<AtomicU64>,
    stop: CancellationToken,
) -> anyhow::Result<Recorder> {
    let mut seen = Recorder::new()?;
    while !stop.is_cancelled() {
        let Some(due) = schedule.take() else { break };
        if let Some(since) = due.since {
            if Instant::now() >= schedule.end() {
                seen.not_sent += u64::from(schedule.measures(since));
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(since) => {}
                () = stop.cancelled() => break,
            }
        }
        let since = due.since.unwrap_or_else(Instant::now);
        let outcome = client.operate(due.number).await;
        seen.note(outcome, since.elapsed(), schedule.measures(since))?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operation that takes this long.
    struct Sleeper(Duration);

    impl Operate for Sleeper {
        async fn operate(&self, _number: u64) -> Outcome {
            tokio::time::sleep(self.0).await;
            Outcome::default()
        }
    }

    async fn measured(pace: Pace, clients: usize, takes: Duration) -> Measured {
        let load = Load { pace, warmup: Duration::from_millis(50), duration: Duration::from_millis(400) };
        let clients = (0..clients).map(|_| Sleeper(takes)).collect();
        drive(clients, load, Arc::default(), &CancellationToken::new()).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rate_above_the_clients_capacity_shows_in_latency_and_in_operations_not_sent() {
        // One client, 20 ms each: 50 per second of the 200 that are due.
        let measured = measured(Pace::Open { rate: 200.0 }, 1, Duration::from_millis(20)).await;
        let summary = measured.seen.whole.summary();
        assert!(summary.p50_ms > 40.0, "the latency includes the time before sending: {summary:?}");
        assert!(measured.seen.not_sent > 0);
        assert_eq!(summary.count + measured.seen.not_sent, 80, "every call that was due is accounted for");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_closed_loop_makes_its_next_call_only_after_the_answer() {
        let measured = measured(Pace::Closed, 2, Duration::from_millis(20)).await;
        let summary = measured.seen.whole.summary();
        assert!((1..=42).contains(&summary.count), "{summary:?}");
        assert!(summary.p50_ms >= 20.0, "{summary:?}");
        assert_eq!(measured.seen.not_sent, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_load_that_is_stopped_early_reports_what_it_has_measured() {
        let load = Load { pace: Pace::Closed, warmup: Duration::ZERO, duration: Duration::from_secs(600) };
        let (done, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let driving = tokio::spawn({
            let (done, stop) = (done.clone(), stop.clone());
            async move { drive(vec![Sleeper(Duration::from_millis(1))], load, done, &stop).await }
        });
        while done.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        let measured = driving.await.unwrap().unwrap();
        assert!(measured.seen.whole.summary().count >= 3);
        assert!(measured.time < Duration::from_secs(60), "{:?}", measured.time);
    }
}
