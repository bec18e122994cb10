//! The circuit breaker's rules, without a clock, a lock or a task: time and chance are passed in.
//!
//! It is the design of linkerd's failure accrual. Failures in a row open the circuit; while it is open nothing is sent; when its
//! back-off is over **one** call goes through as a probe, which closes the circuit or doubles the back-off. A probe that tells
//! nothing is followed by a short rest as well: otherwise callers in a hurry would be one probe after the other. A success in
//! between starts the row anew, so a callee that answers now and then is merely slow, and the limits below deal with that.
//!
//! A callee that answers that it cannot serve, and says when it may, is left alone for that long and no longer: it is there, and knows
//! better than a back-off. Otherwise circuits in a row, as before a payment whose provider hangs, would each wait for the next one to
//! have closed first, and each of their probes that comes a moment too early would double its rest.
//!
//! A row also grows when a call begins while too many others are in flight and none of them was answered for a while. A callee that
//! has stopped answering is then noticed before the first timeout. One that is merely asked much at once is not: a crowd that
//! comes together within the time that an answer takes has waited for nothing yet; and of a crowd whose members give up before that
//! time and are replaced by others, nobody has waited.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// For which part of the time that an attempt gets a crowd may wait without an answer.
const PATIENCE: u32 = 10;
/// And how long at least: so long an answer may take that nobody would call slow.
const MIN_PATIENCE: Duration = Duration::from_millis(100);

/// For how long a callee is left alone at least, whatever it asks for.
const MIN_REST: Duration = Duration::from_millis(50);

/// What a circuit is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// One call is under way to find out; the others are refused.
    Probing,
}

impl BreakerState {
    /// The state as logs and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }
}

/// What a call says about its callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Healthy,
    /// It does not, or cannot do its work.
    Failing,
    /// Nothing.
    Inconclusive,
}

/// So long an answer may take that nobody would call slow. A caller who leaves its callee less has not found out anything.
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
    Probing { backoff: Duration },
}

/// One circuit.
#[derive(Debug)]
pub(super) struct Breaker {
    max_failures: u32,
    crowd: usize,
    patience: Duration,
    first_backoff: Duration,
    max_backoff: Duration,
    state: State,
    /// Counts the changes of state: a call that began before the last one says nothing about now.
    period: u64,
    in_flight: usize,
    /// When calls in flight last became a crowd, or were last answered if that is later.
    silent_since: Option<Instant>,
    /// How many calls were in flight then, without those that have given up in a hurry since.
    waiting: usize,
}

impl Breaker {
    /// A closed circuit.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_failures: limits.breaker_failures.max(1),
            crowd: limits.breaker_in_flight.max(1),
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
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing { .. } => BreakerState::Probing,
        }
    }

    /// For how long a call would be refused, if it began now.
    pub fn refuses(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } => Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero()),
            State::Probing { .. } => Some(self.first_backoff),
        }
    }

    /// Lets a call begin, or says for how long none may. `chance` is in `0.0..1.0`.
    pub fn begin(&mut self, now: Instant, chance: f64) -> Result<Pass, Duration> {
        let mut counted = false;
        match self.state {
            State::Closed { .. } if self.crowd_waits_in_vain(now) => {
                self.fail(None, now, chance);
                counted = true;
            }
            State::Open { until, backoff } if until <= now => {
                self.enter(State::Probing { backoff });
                return Ok(self.pass(now, counted));
            }
            State::Closed { .. } | State::Open { .. } | State::Probing { .. } => {}
        }
        match self.refuses(now) {
            Some(wait) => Err(wait),
            None => Ok(self.pass(now, counted)),
        }
    }

    fn crowd_waits_in_vain(&self, now: Instant) -> bool {
        let silent = self.silent_since.map(|since| now.saturating_duration_since(since));
        self.is_crowd(self.in_flight) && self.is_crowd(self.waiting) && silent.is_some_and(|it| it >= self.patience)
    }

    const fn is_crowd(&self, calls: usize) -> bool {
        calls >= self.crowd
    }

    fn pass(&mut self, now: Instant, counted: bool) -> Pass {
        self.in_flight += 1;
        if self.in_flight == self.crowd {
            self.listen(now);
        } else if self.silent_since == Some(now) {
            self.waiting += 1;
        }
        Pass { period: self.period, begun: now, counted }
    }

    /// From now on it shows whether the calls in flight wait in vain.
    fn listen(&mut self, now: Instant) {
        self.silent_since = Some(now);
        self.waiting = self.in_flight;
    }

    /// Takes note that a call has left without an answer.
    fn leave(&mut self, pass: &Pass, now: Instant) {
        let was_hurried = now.saturating_duration_since(pass.begun) < self.patience;
        if was_hurried && self.silent_since.is_some_and(|since| pass.begun <= since) {
            self.waiting = self.waiting.saturating_sub(1);
            if self.is_crowd(self.in_flight) && !self.is_crowd(self.waiting) {
                self.listen(now);
            }
        }
    }

    /// Ends the rest of an open circuit: the next call is the probe.
    pub fn rested(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Takes note of how a call ended. `asked` is how long the callee asked to be left alone, if it failed by its own word.
    pub fn end(&mut self, pass: Pass, verdict: Verdict, asked: Option<Duration>, now: Instant, chance: f64) {
        self.in_flight -= 1;
        let is_answer = verdict == Verdict::Healthy && pass.period == self.period;
        if is_answer {
            self.listen(now);
        } else {
            self.leave(&pass, now);
        }
        if pass.period != self.period {
            return;
        }
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Healthy) => self.state = State::Closed { failures: 0 },
            (State::Closed { .. }, Verdict::Failing) if pass.counted => {}
            (State::Closed { .. } | State::Probing { .. }, Verdict::Failing) => self.fail(asked, now, chance),
            (State::Probing { .. }, Verdict::Healthy) => self.enter(State::Closed { failures: 0 }),
            // The probe's caller went away, say. That is no reason for a longer rest, and none to be asked again at once.
            (State::Probing { backoff }, Verdict::Inconclusive) => self.open(self.first_backoff, backoff, now, chance),
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
            State::Probing { backoff } => (true, backoff),
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

    /// Half of the rest is fixed, half by chance: the callee gets it, and its callers do not all come back at once.
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
