//! The circuit breaker as a layer: the rules of [`Breaker`] with the clock, and with callers that may go away at any moment.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mesh_foundation::telemetry::metrics;
use opentelemetry::KeyValue;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{
    Limits,
    breaker::{Breaker, BreakerState, Pass, Verdict, patience},
    call::Call,
    failure::{Failure, Share},
    layer::{Around, Outcome, Rest},
};

/// The circuit between one context and one callee. Cheap to clone; all clones are one circuit.
#[derive(Clone)]
pub(super) struct Circuit(Arc<Inner>);

struct Inner {
    callee: Arc<str>,
    /// Callers who leave their callee less than that are in a hurry.
    patience: Duration,
    /// After how long a call that its caller gives up on counts against the callee.
    fair_share: Duration,
    breaker: Mutex<Breaker>,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(callee: Arc<str>, limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            callee,
            patience: patience(limits),
            fair_share: limits.timeout / 2,
            breaker: Mutex::new(Breaker::new(limits)),
        }))
    }

    /// What it is doing.
    pub fn state(&self) -> BreakerState {
        self.breaker().state()
    }

    /// For how long a call would be refused, if it began now.
    pub fn refuses_now(&self) -> Option<Duration> {
        self.breaker().refuses(Instant::now())
    }

    /// What kept the callee away is over: if the circuit is open, the next call finds out.
    pub fn try_soon(&self) {
        self.breaker().rested(Instant::now());
    }

    fn begin(&self, deadline: Instant) -> Result<UnderWay, Failure> {
        match self.change(None, |breaker, now| breaker.begin(now, rand::random()).map(|pass| (pass, now))) {
            Ok((pass, begun)) => Ok(UnderWay { circuit: self.clone(), pass: Some(pass), begun, deadline }),
            Err(wait) => Err(Failure::circuit_open(&self.0.callee, wait)),
        }
    }

    fn end(&self, pass: Pass, verdict: Verdict, asked: Option<Duration>) {
        self.change(Some(verdict), |breaker, now| breaker.end(pass, verdict, asked, now, rand::random()));
    }

    /// The clock is read under the lock, so that for the breaker time never goes back.
    fn change<T>(&self, verdict: Option<Verdict>, change: impl FnOnce(&mut Breaker, Instant) -> T) -> T {
        let mut breaker = self.breaker();
        let before = breaker.state();
        let result = change(&mut breaker, Instant::now());
        let after = breaker.state();
        drop(breaker);
        self.report(before, after, verdict);
        result
    }

    fn report(&self, before: BreakerState, after: BreakerState, verdict: Option<Verdict>) {
        if before == after {
            return;
        }
        let callee = &*self.0.callee;
        match (before, after) {
            (BreakerState::Closed, BreakerState::Open) => tracing::warn!(callee, "the circuit opened"),
            (_, BreakerState::Open) if verdict == Some(Verdict::Inconclusive) => {
                tracing::info!(callee, "the circuit stays open: the probe told nothing");
            }
            (_, BreakerState::Open) => tracing::info!(callee, "the circuit stays open: the probe failed"),
            (_, BreakerState::Probing) => tracing::info!(callee, "the circuit lets a probe through"),
            (_, BreakerState::Closed) => tracing::info!(callee, "the circuit closed"),
        }
        let state = KeyValue::new("state", after.name());
        metrics().breaker_changes.add(1, &[KeyValue::new("callee", self.0.callee.clone()), state]);
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.0.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Around for Circuit {
    async fn around(&self, call: Call, rest: impl Rest) -> Outcome {
        let under_way = self.begin(call.deadline)?;
        let outcome = rest.oneshot(call).await;
        under_way.ended(&outcome);
        outcome
    }
}

/// A call under way. Dropped before its end, as when its caller goes away or its deadline passes, it gives back the probe it may be.
struct UnderWay {
    circuit: Circuit,
    pass: Option<Pass>,
    begun: Instant,
    /// When its caller stops listening.
    deadline: Instant,
}

impl UnderWay {
    fn ended(mut self, outcome: &Outcome) {
        match outcome {
            Ok(_) => self.settle(Verdict::Healthy, None),
            Err(failure) => self.settle(failure.verdict(self.share()), failure.retry_after()),
        }
    }

    fn share(&self) -> Share {
        let Inner { patience, fair_share, .. } = &*self.circuit.0;
        if self.begun.elapsed() >= *fair_share {
            Share::Fair
        } else if self.deadline.saturating_duration_since(self.begun) < *patience {
            Share::Hurried
        } else {
            Share::Short
        }
    }

    fn settle(&mut self, verdict: Verdict, asked: Option<Duration>) {
        if let Some(pass) = self.pass.take() {
            self.circuit.end(pass, verdict, asked);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let verdict = if self.share() == Share::Fair { Verdict::Failing } else { Verdict::Inconclusive };
        self.settle(verdict, None);
    }
}
