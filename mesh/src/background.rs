//! Loops that run beside the calls: relays, consumers, sweepers, recovery. Each has a name and a metric, each stops on drain, and
//! one that panics ends the process, because a process that looks alive and settles nothing is worse than one that is started again.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use opentelemetry::trace::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::telemetry::metrics;

/// The order in which loops stop: each phase is awaited before the next one begins to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Checkouts under way.
    Checkouts,
    /// Sweepers and recovery loops.
    Sweepers,
    /// Relays.
    Relays,
    /// Consumers.
    Consumers,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Checkouts, Self::Sweepers, Self::Relays, Self::Consumers];
}

/// All loops and detached tasks of one process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Background(Arc<Phases>);

#[derive(Debug, Default)]
struct Phases([(CancellationToken, TaskTracker); 4]);

impl Background {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn phase(&self, phase: Phase) -> &(CancellationToken, TaskTracker) {
        &self.0.0[phase as usize]
    }

    /// Starts a loop. It is given a token, and has to end soon after that token is cancelled.
    pub fn run<F, Fut>(&self, phase: Phase, name: impl Into<String>, body: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let (token, tracker) = self.phase(phase);
        let body = AssertUnwindSafe(body(token.clone())).catch_unwind();
        tracker.spawn(async move {
            metrics().background_loops.add(1, &[opentelemetry::KeyValue::new("loop", name.clone())]);
            if body.await.is_err() {
                tracing::error!(background = %name, "a background loop panicked: the process ends");
                eprintln!("background loop {name} panicked: the process ends");
                std::process::abort();
            }
            metrics().background_loops.add(-1, &[opentelemetry::KeyValue::new("loop", name)]);
        });
    }

    /// Starts a task of its own that a drain awaits: whoever asked for it may hang up, it goes on. Its log lines and its spans are
    /// those of whoever asked.
    pub fn detach<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.phase(Phase::Checkouts).1.spawn(task.with_current_context().in_current_span())
    }

    /// Whether the process is stopping.
    pub fn is_draining(&self) -> bool {
        self.phase(Phase::Checkouts).0.is_cancelled()
    }

    /// Tells detached tasks and loops to stop, phase by phase, each within `patience`. What has not stopped by then is left: all of
    /// it is safe to lose at any moment.
    pub async fn drain(&self, patience: Duration) {
        for phase in Phase::ALL {
            let (token, tracker) = self.phase(phase);
            token.cancel();
            tracker.close();
            if tokio::time::timeout(patience, tracker.wait()).await.is_err() {
                tracing::warn!(?phase, left = tracker.len(), "not everything stopped in time");
            }
        }
    }
}

/// Sleeps for `delay` or until `stop`; tells whether to go on.
pub async fn pause(delay: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(delay) => true,
    }
}

/// Waits that double from `first` up to `max`, with jitter, until something succeeds.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and ends at `max`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, failures: 0 }
    }

    /// The next wait: half of it fixed, half of it random.
    pub fn failed(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.failures.min(16)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    /// It worked: starts over.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}
