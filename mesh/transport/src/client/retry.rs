//! Retries of calls that may be sent twice, and of calls that were surely not sent.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mesh_foundation::{background::Backoff, telemetry::metrics};
use opentelemetry::KeyValue;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use super::{
    Limits,
    budget::Budget,
    call::Call,
    failure::Failure,
    layer::{Around, Outcome, Rest},
};

const FIRST_WAIT: Duration = Duration::from_millis(25);
const MAX_WAIT: Duration = Duration::from_secs(1);
/// How many attempts may be turned away by replicas that are stopping or starting while another one is up. They do no work there, and
/// each connection to such a replica is found out once, so these attempts do not count as the call's own.
const MAX_TURNED_AWAY: u32 = 16;

/// Retries calls that may be retried, within the budget and the deadline.
#[derive(Clone)]
pub(super) struct Retry {
    callee: Arc<str>,
    attempts: u32,
    budget: Arc<Mutex<Budget>>,
}

impl Retry {
    pub(super) fn new(callee: Arc<str>, limits: &Limits) -> Self {
        let budget = Arc::new(Mutex::new(Budget::new(limits, Instant::now())));
        Self { callee, attempts: limits.attempts, budget }
    }

    /// How long to wait before the next attempt; none if there is no sense in one or the budget is spent.
    fn wait(&self, call: &Call, attempts: Attempts, failure: &Failure, backoff: &mut Backoff) -> Option<Duration> {
        // A call that was surely not sent may be sent again, whatever it does.
        let harmless = call.idempotent || failure.surely_not_sent();
        let left = attempts.counted < self.attempts && attempts.turned_away <= MAX_TURNED_AWAY;
        if !harmless || !left || !failure.may_be_retried() {
            return None;
        }
        let wait = backoff.failed().max(failure.retry_after().unwrap_or_default());
        let in_time = Instant::now() + wait < call.deadline;
        let affordable = || failure.is_free_to_retry() || self.budget(|budget| budget.spend(Instant::now()));
        (in_time && affordable()).then_some(wait)
    }

    fn budget<T>(&self, with: impl FnOnce(&mut Budget) -> T) -> T {
        with(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What has become of a call so far.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    /// Those that count against the call's limit.
    counted: u32,
    /// Those that one replica turned away while another one was up.
    turned_away: u32,
}

impl Attempts {
    fn count(&mut self, failure: &Failure) {
        if failure.is_free_to_retry() {
            self.turned_away += 1;
        } else {
            self.counted += 1;
        }
    }
}

impl Around for Retry {
    async fn around(&self, call: Call, rest: impl Rest) -> Outcome {
        self.budget(Budget::earn);
        let mut backoff = Backoff::new(FIRST_WAIT, MAX_WAIT);
        let mut attempts = Attempts::default();
        let mut unknown = None;
        loop {
            let failure = match rest.clone().oneshot(call.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            attempts.count(&failure);
            let wait = self.wait(&call, attempts, &failure, &mut backoff);
            // One attempt that may have had an effect makes the whole call unknown, whatever became of the others.
            let decisive = match unknown.take() {
                Some(earlier) if !failure.is_an_answer() => earlier,
                _ => failure,
            };
            let Some(wait) = wait else {
                return Err(decisive);
            };
            tracing::debug!(callee = &*self.callee, ?attempts, ?wait, "retrying the call");
            unknown = (!decisive.surely_not_sent()).then_some(decisive);
            sleep(wait).await;
            metrics().client_retries.add(1, &[KeyValue::new("callee", self.callee.clone())]);
        }
    }
}
