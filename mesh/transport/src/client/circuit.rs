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
    /// A call whose caller leaves the callee less time than this says nothing about the callee.
    patience: Duration,
    /// How long a call must have taken to count against the callee when its caller gives up.
    fair_share: Duration,
    breaker: Mutex<Breaker>,
}

impl Circuit {
    /// A closed circuit.
    pub(super) fn new(callee: Arc<str>, limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            callee,
            patience: patience(limits),
            fair_share: limits.timeout / 2,
            breaker: Mutex::new(Breaker::new(limits)),
        }))
    }

    /// Its state.
    pub(super) fn state(&self) -> BreakerState {
        self.breaker().state()
    }

    /// For how long a call would be refused, if it began now.
    pub(super) fn refuses_now(&self) -> Option<Duration> {
        self.breaker().refuses(Instant::now())
    }

    /// Ends the rest, because the callee may be back: if the circuit is open, the next call is the probe.
    pub(super) fn try_soon(&self) {
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

    /// The clock is read under the lock, so that the breaker never sees time go back.
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
                tracing::info!(callee, "the circuit stays open: the probe was inconclusive");
            }
            (_, BreakerState::Open) => tracing::info!(callee, "the circuit stays open: the probe failed"),
            (_, BreakerState::HalfOpen) => tracing::info!(callee, "the circuit is half-open: a probe is under way"),
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

/// A call under way. If it is dropped before its end (its caller goes away, or its deadline passes), it settles as given up; if it was
/// the probe, the next call may probe.
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
