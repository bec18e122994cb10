//! Background loops: relays, consumers, sweepers, recovery. Each has a name and a metric, and stops on drain. A loop that panics ends
//! the process, because a process that looks alive and settles nothing is worse than one that is restarted.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use opentelemetry::trace::FutureExt as _;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    driver::{LastTurn, Progress},
    output,
    telemetry::metrics,
};

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
struct Phases {
    stages: [Stage; 4],
    /// The tasks of each context.
    tasks: Mutex<BTreeMap<&'static str, Tasks>>,
}

/// The tasks of one context that the [driver](crate::driver) runs.
#[derive(Debug, Default)]
struct Tasks {
    by_name: BTreeMap<String, Progress>,
    failing_changed: Arc<Notify>,
}

/// The loops and tasks of one phase.
#[derive(Debug, Default)]
struct Stage {
    stop: CancellationToken,
    /// Cancelled at the end of the phase: a loop that is still running is dropped.
    over: CancellationToken,
    tracker: TaskTracker,
}

impl Background {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn stage(&self, phase: Phase) -> &Stage {
        &self.0.stages[phase as usize]
    }

    /// Starts a loop. It is given a token, and has to end soon after the token is cancelled: at the end of the drain's time it is dropped.
    pub fn run<F, Fut>(&self, phase: Phase, name: impl Into<String>, body: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let Stage { stop, over, tracker } = self.stage(phase);
        let body = over.clone().run_until_cancelled_owned(AssertUnwindSafe(body(stop.clone())).catch_unwind());
        tracker.spawn(async move {
            metrics().background_loops.add(1, &[opentelemetry::KeyValue::new("loop", name.clone())]);
            if matches!(body.await, Some(Err(_))) {
                tracing::error!(background = %name, "a background loop panicked; the process ends");
                output::note(format_args!("background loop {name} panicked: the process ends"));
                std::process::abort();
            }
            metrics().background_loops.add(-1, &[opentelemetry::KeyValue::new("loop", name)]);
        });
    }

    /// What is known about each task of `context` that the [driver](crate::driver) runs here, in the order of their names.
    pub fn tasks(&self, context: &'static str) -> Vec<Progress> {
        self.with_tasks(context, |tasks| tasks.by_name.values().cloned().collect())
    }

    /// Notified when a task of `context` begins or ceases to be [failing](Progress::is_failing).
    pub fn failing_changed(&self, context: &'static str) -> Arc<Notify> {
        self.with_tasks(context, |tasks| tasks.failing_changed.clone())
    }

    pub(crate) fn note_start(&self, context: &'static str, task: Progress) {
        self.with_tasks(context, |tasks| tasks.by_name.insert(task.name.clone(), task));
    }

    pub(crate) fn note_turn(&self, context: &'static str, task: &str, turn: LastTurn) {
        self.with_tasks(context, |tasks| {
            if tasks.by_name.get_mut(task).is_some_and(|task| task.note(turn)) {
                tasks.failing_changed.notify_one();
            }
        });
    }

    fn with_tasks<T>(&self, context: &'static str, read: impl FnOnce(&mut Tasks) -> T) -> T {
        read(self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).entry(context).or_default())
    }

    /// Starts a detached task that a drain awaits: it goes on when its caller hangs up. Its log lines and spans belong to the caller's.
    pub fn detach<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.stage(Phase::Checkouts).tracker.spawn(task.with_current_context().in_current_span())
    }

    /// Announces that the process is going to stop, and stops nothing yet. Tasks that only wait, for a change or for another call's
    /// outcome, end soon; otherwise the calls in flight would wait for them.
    pub fn announce(&self) {
        self.stage(Phase::Checkouts).stop.cancel();
    }

    /// Whether the process is stopping, or is going to.
    pub fn is_draining(&self) -> bool {
        self.stage(Phase::Checkouts).stop.is_cancelled()
    }

    /// Stops detached tasks and loops, phase by phase, each within `patience`. Loops that have not stopped by then are dropped, because the
    /// next phase relies on their end; tasks are left running. All of them are safe to lose at any moment.
    pub async fn drain(&self, patience: Duration) {
        for phase in Phase::ALL {
            let Stage { stop, over, tracker } = self.stage(phase);
            stop.cancel();
            tracker.close();
            if tokio::time::timeout(patience, tracker.wait()).await.is_err() {
                tracing::warn!(?phase, left = tracker.len(), "some background loops or tasks did not stop in time");
            }
            over.cancel();
        }
    }
}

/// Sleeps for `delay` or until `stop`; returns whether to go on.
pub async fn pause(delay: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(delay) => true,
    }
}

/// Waits that double from `first` up to `max`, with jitter, until an attempt succeeds.
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

    /// After a success: starts over.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_does_not_stop_goes_with_its_phase() {
        let background = Background::new();
        let (held, gone) = oneshot::channel::<()>();
        background.run(Phase::Relays, "deaf", |_| async move {
            let _held = held;
            std::future::pending().await
        });
        background.drain(Duration::from_millis(10)).await;
        timeout(Duration::from_secs(10), gone).await.expect("it is dropped").expect_err("it never said anything");
    }

    #[tokio::test]
    async fn an_announced_stop_is_known_and_stops_no_loop() {
        let background = Background::new();
        let (told, stop) = oneshot::channel();
        background.run(Phase::Sweepers, "listening", |stop| async move {
            told.send(stop.clone()).expect("somebody listens");
            stop.cancelled().await;
        });
        background.announce();
        assert!(background.is_draining());
        assert!(!stop.await.expect("it runs").is_cancelled());
        background.drain(Duration::from_secs(10)).await;
    }

    #[tokio::test]
    async fn a_detached_task_outlasts_the_patience_of_a_drain() {
        let background = Background::new();
        let (go_on, told) = oneshot::channel();
        let task = background.detach(async move { told.await.is_ok() });
        background.drain(Duration::from_millis(10)).await;
        go_on.send(()).expect("it still listens");
        assert!(
            task.await.expect("it ends"),
            "what a guest was charged for is not left half-done while there is a process"
        );
    }
}
