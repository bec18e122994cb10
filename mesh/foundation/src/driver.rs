//! One driver for all background work of a context: sweepers, recovery, timers.
//!
//! A task runs in turns:
//!
//! 1. After a turn that found work the next turn starts at once.
//! 2. After a turn that found nothing the task rests for its period, or until it is woken.
//! 3. After a turn that failed it backs off, longer each time.
//!
//! What is known about each task can be queried ([`Background::tasks`]) and scraped (`jumak.background.turns`,
//! `jumak.background.last_turn`).

use std::{fmt, future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use opentelemetry::KeyValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    background::{Background, Backoff, Phase},
    clock::Clock,
    error::Error,
    telemetry::metrics,
};

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was done, and there may be more.
    More,
    /// There was nothing left to do.
    Idle,
    /// There is nothing to do for this long.
    IdleFor(Duration),
}

/// A turn that handled this many.
impl From<usize> for Turn {
    fn from(taken_up: usize) -> Self {
        if taken_up > 0 { Self::More } else { Self::Idle }
    }
}

/// The last turn of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTurn {
    /// When it ended.
    pub time: Timestamp,
    /// How, or why it failed.
    pub outcome: Result<Turn, String>,
}

/// A task that has failed this many times in a row is [failing](Progress::is_failing).
pub const MAX_FAILURES: u32 = 3;

/// What is known about a task that runs in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The task's full name: `<context>.<task>`.
    pub name: String,
    /// When it was started.
    pub start_time: Timestamp,
    /// The longest rest between two turns.
    pub longest_rest: Duration,
    /// Its last turn; none before the first one has ended.
    pub last_turn: Option<LastTurn>,
    /// How many of its last turns failed in a row.
    pub failures: u32,
}

impl Progress {
    /// Whether its last [`MAX_FAILURES`] turns failed.
    pub fn is_failing(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Records a turn, and returns whether the task has begun or ceased to be failing.
    pub(crate) fn note(&mut self, turn: LastTurn) -> bool {
        let was_failing = self.is_failing();
        self.failures = if turn.outcome.is_ok() { 0 } else { self.failures.saturating_add(1) };
        self.last_turn = Some(turn);
        self.is_failing() != was_failing
    }
}

/// A task: its context, its name, its period and its backoff.
#[derive(Clone, Debug)]
pub struct Task {
    context: &'static str,
    name: String,
    period: Duration,
    longest_rest: Duration,
    backoff: Backoff,
    wake: Arc<Notify>,
}

impl Task {
    /// A task of `context` that looks for work every `period` at least. Its name is unique within the context.
    pub fn new(context: &'static str, name: &str, period: Duration) -> Self {
        let (name, backoff) = (format!("{context}.{name}"), Backoff::new(period, period));
        Self { context, name, period, longest_rest: period, backoff, wake: Arc::default() }
    }

    /// After a failure it waits from `first` to `longest`.
    #[must_use]
    pub fn retries(self, first: Duration, longest: Duration) -> Self {
        Self { backoff: Backoff::new(first, longest), longest_rest: self.period.max(longest), ..self }
    }

    /// A notification of `wake` ends its rest.
    #[must_use]
    pub fn woken_by(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    /// Starts it. It stops between two turns.
    pub fn start<F, Fut>(self, background: &Background, turn: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Turn, Error>> + Send + 'static,
    {
        background.note_start(
            self.context,
            Progress {
                name: self.name.clone(),
                start_time: Clock::system().now(),
                longest_rest: self.longest_rest,
                last_turn: None,
                failures: 0,
            },
        );
        let (name, tasks) = (self.name.clone(), background.clone());
        background.run(Phase::Sweepers, name, move |stop| self.drive(tasks, turn, stop));
    }

    async fn drive<F, Fut>(mut self, tasks: Background, turn: F, stop: CancellationToken)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Turn, Error>>,
    {
        while !stop.is_cancelled() {
            let ended = turn().await;
            let pause = match &ended {
                Ok(ended) => {
                    self.backoff.succeeded();
                    match ended {
                        Turn::More => Duration::ZERO,
                        Turn::Idle => self.period,
                        Turn::IdleFor(rest) => self.period.min(*rest),
                    }
                }
                Err(error) => {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(task = self.name, error, "a background task failed, will retry");
                    self.backoff.failed()
                }
            };
            self.note(&tasks, ended);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn note(&self, tasks: &Background, ended: Result<Turn, Error>) {
        let time = Clock::system().now();
        let outcome = match &ended {
            Ok(Turn::More) => "more",
            Ok(Turn::Idle | Turn::IdleFor(_)) => "idle",
            Err(_) => "failed",
        };
        let of = |outcome| [KeyValue::new("loop", self.name.clone()), KeyValue::new("outcome", outcome)];
        metrics().background_turns.add(1, &of(outcome));
        metrics().background_last_turn.record(time.as_second().unsigned_abs(), &of(outcome));
        let turn = LastTurn { time, outcome: ended.map_err(|error| error.to_string()) };
        tasks.note_turn(self.context, &self.name, turn);
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More => f.write_str("there may be more"),
            Self::Idle => f.write_str("nothing left to do"),
            Self::IdleFor(rest) => write!(f, "nothing to do for {rest:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const SOON: Duration = Duration::from_secs(20);
    const MOMENT: Duration = Duration::from_millis(50);

    /// Starts a task whose turns end as told, in that order, and then idle; each turn is announced.
    fn take_turns(task: Task, background: &Background, ends: Vec<Result<Turn, Error>>) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(16);
        let ends = Arc::new(std::sync::Mutex::new(ends.into_iter()));
        task.start(background, move || {
            let (sender, end) = (sender.clone(), ends.lock().unwrap().next().unwrap_or(Ok(Turn::Idle)));
            async move {
                sender.send(()).await.unwrap();
                end
            }
        });
        receiver
    }

    async fn turn(turns: &mut mpsc::Receiver<()>) {
        timeout(SOON, turns.recv()).await.expect("another turn").expect("it runs");
    }

    async fn rests(turns: &mut mpsc::Receiver<()>) {
        assert!(timeout(MOMENT, turns.recv()).await.is_err(), "it should rest");
    }

    #[tokio::test]
    async fn a_task_goes_on_at_once_while_there_is_more_and_rests_when_there_is_not() {
        let background = Background::new();
        let ends = vec![Ok(Turn::More), Ok(Turn::from(3)), Ok(Turn::from(0))];
        let mut turns = take_turns(Task::new("test", "test", HOUR), &background, ends);
        for _ in 0..3 {
            turn(&mut turns).await;
        }
        rests(&mut turns).await;
        background.drain(SOON).await;
    }

    #[tokio::test]
    async fn a_rest_ends_with_the_period_when_something_is_due_and_by_a_call() {
        let background = Background::new();
        let mut periodic = take_turns(Task::new("test", "periodic", MOMENT), &background, Vec::new());
        let due = vec![Ok(Turn::IdleFor(MOMENT)), Ok(Turn::Idle)];
        let mut due = take_turns(Task::new("test", "due", HOUR), &background, due);
        for _ in 0..2 {
            turn(&mut periodic).await;
            turn(&mut due).await;
        }
        rests(&mut due).await;
        let wake = Arc::new(Notify::new());
        let mut woken = take_turns(Task::new("test", "woken", HOUR).woken_by(wake.clone()), &background, Vec::new());
        turn(&mut woken).await;
        wake.notify_one();
        turn(&mut woken).await;
        background.drain(SOON).await;
    }

    #[tokio::test]
    async fn a_task_that_fails_does_not_insist_and_its_last_turn_says_so() {
        let (background, wake) = (Background::new(), Arc::new(Notify::new()));
        let task = Task::new("test", "test", Duration::ZERO).retries(HOUR, HOUR).woken_by(wake.clone());
        let mut turns = take_turns(task, &background, vec![Err(Error::Lost)]);
        turn(&mut turns).await;
        rests(&mut turns).await;
        let last = || background.tasks("test").remove(0).last_turn.expect("it had a turn");
        assert_eq!(last().outcome, Err(Error::Lost.to_string()));
        wake.notify_one();
        turn(&mut turns).await;
        // The next turn begins when the last one was noted.
        turn(&mut turns).await;
        assert!(last().outcome.is_ok(), "it has recovered");
        background.drain(SOON).await;
    }

    #[tokio::test]
    async fn a_task_stops_after_the_turn_under_way() {
        let (background, finish) = (Background::new(), Arc::new(Notify::new()));
        let (sender, mut turns) = mpsc::channel(16);
        let waits = finish.clone();
        Task::new("test", "test", HOUR).start(&background, move || {
            let (sender, finish) = (sender.clone(), waits.clone());
            async move {
                sender.send(()).await.unwrap();
                finish.notified().await;
                Ok(Turn::More)
            }
        });
        turn(&mut turns).await;
        tokio::join!(background.drain(SOON), async { finish.notify_one() });
        assert!(turns.recv().await.is_none(), "no other turn begins");
        let last = background.tasks("test").remove(0).last_turn.expect("it had a turn");
        assert_eq!(last.outcome, Ok(Turn::More), "and that one was finished");
    }

    #[tokio::test]
    async fn a_task_is_failing_after_some_failures_and_until_a_turn_succeeds_and_says_both_at_once() {
        let background = Background::new();
        let ends = (0..MAX_FAILURES).map(|_| Err(Error::Lost)).collect();
        let wake = Arc::new(Notify::new());
        let task = Task::new("stay", "test", MOMENT).retries(Duration::ZERO, HOUR).woken_by(wake.clone());
        let mut turns = take_turns(task, &background, ends);
        let changed = background.failing_changed("stay");
        let now = || background.tasks("stay").remove(0);
        assert_eq!((now().name.as_str(), now().longest_rest), ("stay.test", HOUR));
        for _ in 0..MAX_FAILURES {
            turn(&mut turns).await;
        }
        timeout(SOON, changed.notified()).await.expect("it is failing");
        assert!(now().is_failing());
        turn(&mut turns).await;
        timeout(SOON, changed.notified()).await.expect("it has recovered");
        assert_eq!((now().failures, now().is_failing()), (0, false));
        assert!(background.tasks("room").is_empty(), "another context's");
        background.drain(SOON).await;
    }
}
