use proptest::prelude::*;

use super::*;

const BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// How long a full set of calls may wait, with the timeout of [`breaker`].
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
    breaker.end(pass, verdict, None, now, FULL);
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
    breaker.end(pass, Verdict::Failing, None, now, 0.0);
    assert_eq!(breaker.refuses(now), Some(BACKOFF / 2));
}

#[test]
fn an_inconclusive_probe_is_followed_by_a_short_rest_and_does_not_double_the_backoff() {
    let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
    run(&mut breaker, Verdict::Failing, now);
    now += BACKOFF;
    run(&mut breaker, Verdict::Failing, now);
    now += 2 * BACKOFF;
    for _ in 0..3 {
        run(&mut breaker, Verdict::Inconclusive, now);
        assert_eq!((breaker.state(), breaker.refuses(now)), (BreakerState::Open, Some(BACKOFF)));
        now += BACKOFF;
    }
    run(&mut breaker, Verdict::Failing, now);
    assert_eq!(breaker.refuses(now), Some(4 * BACKOFF));
}

#[test]
fn a_callee_that_says_when_it_can_serve_is_left_alone_until_then_without_doubling_the_backoff() {
    let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
    for (asks, rests) in [(300, 300), (700, 700), (0, 50), (60_000, 8_000)] {
        let pass = breaker.begin(now, FULL).expect("it is time");
        breaker.end(pass, Verdict::Failing, Some(Duration::from_millis(asks)), now, FULL);
        assert_eq!(breaker.refuses(now), Some(Duration::from_millis(rests)));
        now += Duration::from_millis(rests);
    }
    run(&mut breaker, Verdict::Failing, now);
    assert_eq!(breaker.refuses(now), Some(2 * BACKOFF), "the first probe that was not answered");
}

#[test]
fn a_call_from_before_the_change_says_nothing_about_now() {
    let (mut breaker, mut now) = (breaker(1, 100), Instant::now());
    let [early, late] = [(); 2].map(|()| breaker.begin(now, FULL).expect("closed"));
    run(&mut breaker, Verdict::Failing, now);
    now += BACKOFF;
    let probe = breaker.begin(now, FULL).expect("the probe");
    breaker.end(early, Verdict::Healthy, None, now, FULL);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    breaker.end(probe, Verdict::Healthy, None, now, FULL);
    breaker.end(late, Verdict::Failing, None, now, FULL);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_burst_that_has_not_waited_long_does_not_open_it() {
    let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
    run(&mut breaker, Verdict::Healthy, now);
    for _ in 0..10 {
        // However long nobody called, and so nobody was answered.
        now += Duration::from_secs(3600);
        let full: Vec<_> = (0..50).map(|_| breaker.begin(now, FULL).expect("nothing has failed")).collect();
        now += A_WHILE;
        full.into_iter().for_each(|pass| breaker.end(pass, Verdict::Healthy, None, now, FULL));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_full_set_of_calls_opens_it_when_none_was_answered_for_a_while() {
    let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
    let mut passes: Vec<_> = (0..4).map(|_| breaker.begin(now, FULL).expect("closed")).collect();
    // A fast callee: one leaves answered for each that begins while the set is full.
    for _ in 0..100 {
        now += A_WHILE / 2;
        breaker.end(passes.remove(0), Verdict::Healthy, None, now, FULL);
        passes.push(breaker.begin(now, FULL).expect("closed"));
    }
    // It stops answering: after a while the third in a row to begin while the set is full is refused.
    now += A_WHILE;
    passes.extend((0..2).map(|_| breaker.begin(now, FULL).expect("closed")));
    assert_eq!(breaker.begin(now, FULL).err(), Some(BACKOFF));
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn calls_that_are_given_up_early_do_not_open_it() {
    let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
    let mut passes: Vec<_> = (0..4).map(|_| breaker.begin(now, FULL).expect("closed")).collect();
    // Nobody is ever answered, and four are always waiting: each for half of the time that an answer may take.
    for _ in 0..100 {
        now += A_WHILE / 8;
        breaker.end(passes.remove(0), Verdict::Inconclusive, None, now, FULL);
        passes.push(breaker.begin(now, FULL).expect("nothing has failed"));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn calls_that_are_given_up_late_count_as_unanswered() {
    let (mut breaker, mut now) = (breaker(3, 2), Instant::now());
    let mut passes: Vec<_> = (0..4).map(|_| breaker.begin(now, FULL).expect("closed")).collect();
    now += A_WHILE;
    for _ in 0..2 {
        breaker.end(passes.remove(0), Verdict::Inconclusive, None, now, FULL);
        passes.push(breaker.begin(now, FULL).expect("not yet the third"));
    }
    breaker.end(passes.remove(0), Verdict::Inconclusive, None, now, FULL);
    assert_eq!(breaker.begin(now, FULL).err(), Some(BACKOFF));
}

#[test]
fn a_clock_that_goes_back_a_little_does_no_harm() {
    let (mut breaker, now) = (breaker(3, 100), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    let early = breaker.begin(at(10), FULL).expect("closed");
    breaker.end(early, Verdict::Healthy, None, at(12), FULL);
    let late = breaker.begin(at(11), FULL).expect("closed");
    breaker.end(late, Verdict::Failing, None, at(11), FULL);
    run(&mut breaker, Verdict::Healthy, at(13));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn a_call_counts_as_one_failure_at_most() {
    let (mut breaker, mut now) = (breaker(3, 1), Instant::now());
    let _first = breaker.begin(now, FULL).expect("closed");
    now += A_WHILE;
    let counted = breaker.begin(now, FULL).expect("closed");
    breaker.end(counted, Verdict::Failing, None, now, FULL);
    let _counted = breaker.begin(now, FULL).expect("two of three");
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
        steps in steps(), failures in 1..4_u32, full in 1..5_usize, chance in 0.0..1.0,
    ) {
        let (mut breaker, mut now) = (breaker(failures, full), Instant::now());
        let mut under_way = Vec::new();
        // Failures, and arrivals while the set is full, since something was answered.
        let mut row = 0;
        for step in steps {
            let (before, counted) = (breaker.state(), under_way.len() >= full);
            match step {
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Begin => {
                    let refused = breaker.refuses(now);
                    row += u32::from(counted);
                    match breaker.begin(now, chance) {
                        Ok(pass) => {
                            prop_assert!(refused.is_none(), "what it said is what it does");
                            prop_assert_ne!(before, BreakerState::HalfOpen, "one probe at a time");
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
                    breaker.end(pass, verdict, None, now, chance);
                }
            }
            if before == BreakerState::Closed && breaker.state() == BreakerState::Open {
                prop_assert!(row >= failures, "opened after {row} failures of {failures}");
            }
            prop_assert_eq!(breaker.in_flight, under_way.len());
            let early = under_way.iter().filter(|pass| breaker.silent_since.is_some_and(|since| pass.begun <= since));
            prop_assert!(early.count() <= breaker.waiting);
        }
        for pass in under_way {
            breaker.end(pass, Verdict::Inconclusive, None, now, chance);
        }
        prop_assert!(breaker.begin(now + MAX_BACKOFF, chance).is_ok(), "open for ever");
    }
}
