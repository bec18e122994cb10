//! The circuit breaker's rules, without a clock, a lock or a task: time and chance are passed in.
//!
//! It follows linkerd's failure accrual:
//!
//! 1. Closed. Consecutive failures are counted, and a success resets the count. When the count reaches its limit, the circuit opens.
//! 2. Open. Calls are refused without being sent until the backoff is over.
//! 3. Half-open. **One** call goes through as a probe, and the others are refused. A success closes the circuit; a failure opens it
//!    again with a doubled backoff; an inconclusive probe (its caller went away) opens it again for a short rest, because otherwise
//!    hurried callers would send one probe after another.
//!
//! If the callee answers that it cannot serve and says when it can, the circuit stays open until then and the backoff is not doubled.
//! The callee knows better, and in a chain of calls (before a payment whose provider hangs) each circuit would otherwise have to wait
//! for the next one to close.
//!
//! A callee that stops answering is noticed before the first timeout. A call counts as a failure when it begins while a full set of
//! calls is in flight and none of them was answered for a fraction of the attempt timeout (see `patience`). A burst does not count,
//! because its calls have not waited that long; nor do calls that their callers gave up sooner.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// The fraction of the attempt timeout for which a full set of in-flight calls may go unanswered before the breaker counts a failure.
const PATIENCE: u32 = 10;
/// The least of that time: an answer within it is not slow.
const MIN_PATIENCE: Duration = Duration::from_millis(100);

/// The shortest rest, even if the callee asks for less.
const MIN_REST: Duration = Duration::from_millis(50);

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// One call goes through as a probe; the others are refused.
    HalfOpen,
}

impl BreakerState {
    /// The state as logs and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a call says about its callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The callee answers.
    Healthy,
    /// The callee does not answer, or cannot do its work.
    Failing,
    /// Nothing.
    Inconclusive,
}

/// The shortest timeout that counts as evidence. A caller that gives up sooner has learned nothing about the callee.
pub(super) fn patience(limits: &Limits) -> Duration {
    (limits.timeout / PATIENCE).max(MIN_PATIENCE)
}

/// A call that was let through; to be handed back with a verdict.
#[derive(Debug)]
pub(super) struct Pass {
    period: u64,
    begun: Instant,
    /// Whether the call has been counted as a failure already: one call, one failure.
    counted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, backoff: Duration },
    HalfOpen { backoff: Duration },
}

/// One circuit.
#[derive(Debug)]
pub(super) struct Breaker {
    max_failures: u32,
    full: usize,
    patience: Duration,
    first_backoff: Duration,
    max_backoff: Duration,
    state: State,
    /// Counts the changes of state: a call that began before the last one says nothing about now.
    period: u64,
    in_flight: usize,
    /// When the set of calls in flight last became full, or was last answered if that is later.
    silent_since: Option<Instant>,
    /// How many calls were in flight then, less those that were given up early since.
    waiting: usize,
}

impl Breaker {
    /// A closed circuit.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            max_failures: limits.breaker_failures.max(1),
            full: limits.breaker_in_flight.max(1),
            patience: patience(limits),
            first_backoff: limits.breaker_backoff,
            max_backoff: limits.breaker_max_backoff.max(limits.breaker_backoff),
            state: State::Closed { failures: 0 },
            period: 0,
            in_flight: 0,
            silent_since: None,
            waiting: 0,
        }
    }

    /// What the circuit is doing.
    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// For how long a call would be refused, if it began now.
    pub(super) fn refuses(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } => Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero()),
            State::HalfOpen { .. } => Some(self.first_backoff),
        }
    }

    /// Lets a call begin, or says for how long none may. `chance` is in `0.0..1.0`.
    pub(super) fn begin(&mut self, now: Instant, chance: f64) -> Result<Pass, Duration> {
        let mut counted = false;
        match self.state {
            State::Closed { .. } if self.goes_unanswered(now) => {
                self.fail(None, now, chance);
                counted = true;
            }
            State::Open { until, backoff } if until <= now => {
                self.enter(State::HalfOpen { backoff });
                return Ok(self.pass(now, counted));
            }
            State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. } => {}
        }
        match self.refuses(now) {
            Some(wait) => Err(wait),
            None => Ok(self.pass(now, counted)),
        }
    }

    fn goes_unanswered(&self, now: Instant) -> bool {
        let silent = self.silent_since.map(|since| now.saturating_duration_since(since));
        self.is_full(self.in_flight) && self.is_full(self.waiting) && silent.is_some_and(|it| it >= self.patience)
    }

    const fn is_full(&self, calls: usize) -> bool {
        calls >= self.full
    }

    fn pass(&mut self, now: Instant, counted: bool) -> Pass {
        self.in_flight += 1;
        if self.in_flight == self.full {
            self.restart_silence(now);
        } else if self.silent_since == Some(now) {
            self.waiting += 1;
        }
        Pass { period: self.period, begun: now, counted }
    }

    /// Starts to measure how long the calls in flight go unanswered.
    fn restart_silence(&mut self, now: Instant) {
        self.silent_since = Some(now);
        self.waiting = self.in_flight;
    }

    /// Records a call that ended without an answer.
    fn leave(&mut self, pass: &Pass, now: Instant) {
        let was_hurried = now.saturating_duration_since(pass.begun) < self.patience;
        if was_hurried && self.silent_since.is_some_and(|since| pass.begun <= since) {
            self.waiting = self.waiting.saturating_sub(1);
            if self.is_full(self.in_flight) && !self.is_full(self.waiting) {
                self.restart_silence(now);
            }
        }
    }

    /// Ends the rest of an open circuit: the next call becomes the probe.
    pub(super) fn rested(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Records how a call ended. `asked` is the rest that the callee asked for, if it answered that it cannot serve.
    pub(super) fn end(&mut self, pass: Pass, verdict: Verdict, asked: Option<Duration>, now: Instant, chance: f64) {
        self.in_flight -= 1;
        let is_answer = verdict == Verdict::Healthy && pass.period == self.period;
        if is_answer {
            self.restart_silence(now);
        } else {
            self.leave(&pass, now);
        }
        if pass.period != self.period {
            return;
        }
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Healthy) => self.state = State::Closed { failures: 0 },
            (State::Closed { .. }, Verdict::Failing) if pass.counted => {}
            (State::Closed { .. } | State::HalfOpen { .. }, Verdict::Failing) => self.fail(asked, now, chance),
            (State::HalfOpen { .. }, Verdict::Healthy) => self.enter(State::Closed { failures: 0 }),
            // The probe's caller went away, for example: no reason for a longer rest, and none to probe again at once.
            (State::HalfOpen { backoff }, Verdict::Inconclusive) => self.open(self.first_backoff, backoff, now, chance),
            (State::Closed { .. }, Verdict::Inconclusive) | (State::Open { .. }, _) => {}
        }
    }

    fn fail(&mut self, asked: Option<Duration>, now: Instant, chance: f64) {
        let (probed, backoff) = match self.state {
            State::Closed { failures } if failures + 1 < self.max_failures => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            State::Closed { .. } => (false, self.first_backoff),
            State::HalfOpen { backoff } => (true, backoff),
            State::Open { .. } => return,
        };
        match asked {
            Some(asked) => {
                let rest = asked.clamp(MIN_REST.min(self.max_backoff), self.max_backoff);
                self.enter(State::Open { until: now + rest, backoff });
            }
            None if probed => {
                let doubled = backoff.saturating_mul(2).min(self.max_backoff);
                self.open(doubled, doubled, now, chance);
            }
            None => self.open(backoff, backoff, now, chance),
        }
    }

    /// Half of the rest is fixed and half is random: the callee gets its rest, and its callers do not all come back at once.
    fn open(&mut self, rest: Duration, backoff: Duration, now: Instant, chance: f64) {
        self.enter(State::Open { until: now + rest.mul_f64(0.5 + chance / 2.0), backoff });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.period += 1;
    }
}

#[cfg(test)]
mod tests;
