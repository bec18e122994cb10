//! The circuit breaker's rules, without a clock, a lock or a task: time and chance are passed in.
//!
//! It is the design of linkerd's failure accrual. Failures in a row open the circuit; while it is open nothing is sent; when its
//! back-off is over **one** call goes through as a probe, which closes the circuit or doubles the back-off. A success in between
//! starts the row anew, so a callee that answers now and then is merely slow, and the limits below deal with that.
//!
//! A row also grows when a call begins while too many others are in flight and none of them was answered for a while. A callee that
//! has stopped answering is then noticed before the first timeout. One that is merely asked much at once is not: a crowd that
//! comes together within the time that an answer takes has waited for nothing yet.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// For which part of the time that an attempt gets a crowd may wait without an answer.
const PATIENCE: u32 = 10;
/// And how long at least: so long an answer may take that nobody would call slow.
const MIN_PATIENCE: Duration = Duration::from_millis(100);

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

/// A call that was let through; to be handed back with a verdict.
#[derive(Debug)]
pub(super) struct Pass {
    period: u64,
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
}

impl Breaker {
    /// A closed circuit.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_failures: limits.breaker_failures.max(1),
            crowd: limits.breaker_in_flight.max(1),
            patience: (limits.timeout / PATIENCE).max(MIN_PATIENCE),
            first_backoff: limits.breaker_backoff,
            max_backoff: limits.breaker_max_backoff.max(limits.breaker_backoff),
            state: State::Closed { failures: 0 },
            period: 0,
            in_flight: 0,
            silent_since: None,
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
                self.fail(now, chance);
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
        self.in_flight >= self.crowd && silent.is_some_and(|silent| silent >= self.patience)
    }

    fn pass(&mut self, now: Instant, counted: bool) -> Pass {
        self.in_flight += 1;
        if self.in_flight == self.crowd {
            self.silent_since = Some(now);
        }
        Pass { period: self.period, counted }
    }

    /// Ends the rest of an open circuit: the next call is the probe.
    pub fn rested(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Takes note of how a call ended.
    pub fn end(&mut self, pass: Pass, verdict: Verdict, now: Instant, chance: f64) {
        self.in_flight -= 1;
        if pass.period != self.period {
            return;
        }
        if verdict == Verdict::Healthy {
            self.silent_since = Some(now);
        }
        match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Healthy) => self.state = State::Closed { failures: 0 },
            (State::Closed { .. }, Verdict::Failing) if pass.counted => {}
            (State::Closed { .. } | State::Probing { .. }, Verdict::Failing) => self.fail(now, chance),
            (State::Probing { .. }, Verdict::Healthy) => self.enter(State::Closed { failures: 0 }),
            // The probe's caller went away: the next call is the probe.
            (State::Probing { backoff }, Verdict::Inconclusive) => self.enter(State::Open { until: now, backoff }),
            (State::Closed { .. }, Verdict::Inconclusive) | (State::Open { .. }, _) => {}
        }
    }

    fn fail(&mut self, now: Instant, chance: f64) {
        let backoff = match self.state {
            State::Closed { failures } if failures + 1 < self.max_failures => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            State::Closed { .. } => self.first_backoff,
            State::Probing { backoff } => backoff.saturating_mul(2).min(self.max_backoff),
            State::Open { .. } => return,
        };
        // Half fixed, half by chance: the callee gets its rest, and its callers do not all come back at once.
        self.enter(State::Open { until: now + backoff.mul_f64(0.5 + chance / 2.0), backoff });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.period += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Duration = Duration::from_secs(1);
    const MAX_BACKOFF: Duration = Duration::from_secs(8);
    /// How long a crowd may wait, with the timeout of [`breaker`].
    const A_WHILE: Duration = Duration::from_millis(500);
    /// The chance with which a back-off lasts its full length.
    const FULL: f64 = 1.0;

    fn breaker(failures: u32, in_flight: usize) -> Breaker {
        Breaker::new(&Limits {
            breaker_failures: failures,
            breaker_in_flight: in_flight,
            breaker_backoff: BACKOFF,
            breaker_max_backoff: MAX_BACKOFF,
            timeout: A_WHILE * PATIENCE,
            ..Limits::default()
        })
    }

    fn run(breaker: &mut Breaker, verdict: Verdict, now: Instant) {
        let pass = breaker.begin(now, FULL).expect("lets the call begin");
        breaker.end(pass, verdict, now, FULL);
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let (mut breaker, now) = (breaker(3, 100), Instant::now());
        for verdict in [Verdict::Failing, Verdict::Failing, Verdict::Healthy, Verdict::Failing, Verdict::Failing] {
            run(&mut breaker, verdict, now);
        }
        run(&mut breaker, Verdict::Inconclusive, now);
        assert_eq!(breaker.state(), BreakerState::Closed);
        run(&mut breaker, Verdict::Failing, now);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn each_failed_probe_doubles_the_rest_up_to_a_bound_and_a_success_starts_over() {
        let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
        run(&mut breaker, Verdict::Failing, now);
        for seconds in [1, 2, 4, 8, 8] {
            assert_eq!(breaker.refuses(now), Some(Duration::from_secs(seconds)));
            assert_eq!(breaker.begin(now, FULL).err(), Some(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            run(&mut breaker, Verdict::Failing, now);
        }
        now += MAX_BACKOFF;
        run(&mut breaker, Verdict::Healthy, now);
        assert_eq!(breaker.state(), BreakerState::Closed);
        run(&mut breaker, Verdict::Failing, now);
        assert_eq!(breaker.refuses(now), Some(BACKOFF));
    }

    #[test]
    fn half_of_the_rest_is_left_to_chance() {
        let (mut breaker, now) = (breaker(1, 100), Instant::now());
        let pass = breaker.begin(now, 0.0).expect("closed");
        breaker.end(pass, Verdict::Failing, now, 0.0);
        assert_eq!(breaker.refuses(now), Some(BACKOFF / 2));
    }

    #[test]
    fn a_probe_that_tells_nothing_makes_the_next_call_the_probe_without_doubling() {
        let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
        run(&mut breaker, Verdict::Failing, now);
        now += BACKOFF;
        run(&mut breaker, Verdict::Inconclusive, now);
        assert_eq!((breaker.state(), breaker.refuses(now)), (BreakerState::Open, None));
        run(&mut breaker, Verdict::Failing, now);
        assert_eq!(breaker.refuses(now), Some(2 * BACKOFF));
    }

    #[test]
    fn a_call_from_before_the_change_says_nothing_about_now() {
        let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
        let [early, late] = [(); 2].map(|()| breaker.begin(now, FULL).expect("closed"));
        run(&mut breaker, Verdict::Failing, now);
        now += BACKOFF;
        let probe = breaker.begin(now, FULL).expect("the probe");
        breaker.end(early, Verdict::Healthy, now, FULL);
        assert_eq!(breaker.state(), BreakerState::Probing);
        breaker.end(probe, Verdict::Healthy, now, FULL);
        breaker.end(late, Verdict::Failing, now, FULL);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_crowd_that_came_within_one_answers_time_does_not_open_it() {
        let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
        run(&mut breaker, Verdict::Healthy, now);
        for _ in 0..10 {
            // However long nobody called, and so nobody was answered.
            now += Duration::from_secs(3600);
            let crowd: Vec<_> = (0..50).map(|_| breaker.begin(now, FULL).expect("nothing has failed")).collect();
            now += A_WHILE;
            crowd.into_iter().for_each(|pass| breaker.end(pass, Verdict::Healthy, now, FULL));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_crowd_opens_it_once_nobody_was_answered_for_a_while() {
        let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
        let mut passes: Vec<_> = (0..4).map(|_| breaker.begin(now, FULL).expect("closed")).collect();
        // A fast callee: one leaves answered for each that comes into the crowd.
        for _ in 0..100 {
            now += A_WHILE / 2;
            breaker.end(passes.remove(0), Verdict::Healthy, now, FULL);
            passes.push(breaker.begin(now, FULL).expect("closed"));
        }
        // It stops answering: after a while the third in a row to come into the crowd is refused.
        now += A_WHILE;
        passes.extend((0..2).map(|_| breaker.begin(now, FULL).expect("closed")));
        assert_eq!(breaker.begin(now, FULL).err(), Some(BACKOFF));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_call_counts_as_one_failure_at_most() {
        let (mut breaker, mut now) = (breaker(3, 1), Instant::now());
        let _first = breaker.begin(now, FULL).expect("closed");
        now += A_WHILE;
        let crowded = breaker.begin(now, FULL).expect("closed");
        breaker.end(crowded, Verdict::Failing, now, FULL);
        let _crowded = breaker.begin(now, FULL).expect("two of three");
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Begin,
        End(usize, Verdict),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let verdict = prop_oneof![Just(Verdict::Healthy), Just(Verdict::Failing), Just(Verdict::Inconclusive)];
        let step = prop_oneof![
            Just(Step::Begin),
            (any::<usize>(), verdict).prop_map(|(call, verdict)| Step::End(call, verdict)),
            (0..5000_u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn whatever_happens_it_probes_one_at_a_time_and_never_stays_open(
            steps in steps(), failures in 1..4_u32, crowd in 1..5_usize, chance in 0.0..1.0,
        ) {
            let (mut breaker, mut now) = (breaker(failures, crowd), Instant::now());
            let mut under_way = Vec::new();
            // Failures, and arrivals into a crowd, since something was answered.
            let mut row = 0;
            for step in steps {
                let (before, crowded) = (breaker.state(), under_way.len() >= crowd);
                match step {
                    Step::Wait(millis) => now += Duration::from_millis(millis),
                    Step::Begin => {
                        let refused = breaker.refuses(now);
                        row += u32::from(crowded);
                        match breaker.begin(now, chance) {
                            Ok(pass) => {
                                prop_assert!(refused.is_none(), "what it said is what it does");
                                prop_assert_ne!(before, BreakerState::Probing, "one probe at a time");
                                under_way.push(pass);
                            }
                            Err(wait) => prop_assert!(!wait.is_zero() && wait <= MAX_BACKOFF),
                        }
                    }
                    Step::End(..) if under_way.is_empty() => {}
                    Step::End(call, verdict) => {
                        let pass = under_way.swap_remove(call % under_way.len());
                        match verdict {
                            Verdict::Failing => row += 1,
                            Verdict::Healthy if pass.period == breaker.period => row = 0,
                            Verdict::Healthy | Verdict::Inconclusive => {}
                        }
                        breaker.end(pass, verdict, now, chance);
                    }
                }
                if before == BreakerState::Closed && breaker.state() == BreakerState::Open {
                    prop_assert!(row >= failures, "opened after {row} failures of {failures}");
                }
                prop_assert_eq!(breaker.in_flight, under_way.len());
            }
            for pass in under_way {
                breaker.end(pass, Verdict::Inconclusive, now, chance);
            }
            prop_assert!(breaker.begin(now + MAX_BACKOFF, chance).is_ok(), "open for ever");
        }
    }
}
