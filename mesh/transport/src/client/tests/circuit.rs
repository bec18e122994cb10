//! The circuit, as callers meet it.

use mesh_foundation::failure::StoreError;
use sea_orm::DbErr;
use tokio::task::JoinSet;

use super::*;

fn opens_after(failures: u32) -> Limits {
    Limits { breaker_failures: failures, ..limits() }
}

#[tokio::test]
async fn failures_in_a_row_open_the_circuit_and_then_nothing_is_sent() {
    let callee = Callee::that(Does::Fail(Status::unavailable("down")));
    let limits = Limits {
        breaker_backoff: Duration::from_secs(60),
        breaker_max_backoff: Duration::from_secs(60),
        ..opens_after(3)
    };
    let payment = callee.in_process(limits);
    for _ in 0..3 {
        assert_eq!(payment.refuses_now(), None);
        assert!(!surely_not_sent(&call(&payment).await.expect_err("down")));
    }
    assert_eq!(payment.breaker_state(), BreakerState::Open);

    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        assert!(surely_not_sent(&call(&payment).await.expect_err("open")));
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(10), "refusing took {fastest:?}");

    let status = call(&payment).await.expect_err("open");
    let refusal = Refusal::from_status(&status).expect("a refusal of ours");
    assert_eq!(refusal.reason, Reason::UPSTREAM_UNAVAILABLE);
    assert_eq!(refusal.metadata["context"], "payment");
    assert!(refusal.retry_after.is_some_and(|wait| wait > Duration::from_secs(25)));
    assert_eq!(payment.refuses_now().map(|refusal| refusal.reason), Some(Reason::UPSTREAM_UNAVAILABLE));
    assert_eq!(callee.calls(), 3);
}

#[tokio::test]
async fn one_probe_goes_through_however_many_call_and_its_success_closes_the_circuit() {
    let callee = Callee::that_first([Does::Fail(Status::unavailable("down"))], Does::Hold);
    let payment = callee.in_process(opens_after(1));
    call(&payment).await.expect_err("down");
    rest_is_over(&payment).await;

    let mut calls: JoinSet<_> = (0..20).map(|_| spawn_call(&payment)).collect();
    for _ in 0..19 {
        let outcome = calls.join_next().await.expect("twenty calls").expect("no panic").expect("no panic");
        assert!(surely_not_sent(&outcome.expect_err("only the probe goes through")));
    }
    assert_eq!(payment.breaker_state(), BreakerState::HalfOpen);
    assert!(payment.refuses_now().is_some());

    callee.let_go(1);
    let probe = calls.join_next().await.expect("the probe").expect("no panic").expect("no panic");
    probe.expect("it is answered");
    assert_eq!(callee.calls(), 2);
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_probe_whose_caller_hangs_up_leaves_its_place_to_another_call() {
    let callee = Callee::that_first([Does::Fail(Status::unavailable("down")), Does::Hang], Does::Answer);
    let payment = callee.in_process(opens_after(1));
    call(&payment).await.expect_err("down");
    rest_is_over(&payment).await;

    let probe = spawn_call(&payment);
    callee.has_seen(2).await;
    probe.abort();
    assert!(probe.await.expect_err("aborted").is_cancelled());

    rest_is_over(&payment).await;
    call(&payment).await.expect("the next probe is answered");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn an_answer_never_opens_the_circuit_whatever_it_says() {
    let unwell = [Code::Unavailable, Code::DeadlineExceeded];
    for reason in reasons().filter(|reason| *reason != Reason::OVERLOADED && !unwell.contains(&reason.code())) {
        let payment = Callee::that(Does::refuse(reason.clone())).in_process(opens_after(1));
        for _ in 0..3 {
            call(&payment).await.expect_err("refused");
        }
        assert_eq!(payment.breaker_state(), BreakerState::Closed, "{}", reason.as_str());
    }
}

#[tokio::test]
async fn a_callee_that_says_it_cannot_serve_opens_the_circuit() {
    let by_reason = [Reason::OVERLOADED, Reason::DRAINING, Reason::UPSTREAM_UNAVAILABLE].map(Does::refuse);
    for says in by_reason.into_iter().chain([Does::say_that_it_cannot_serve()]) {
        let payment = Callee::that(says).in_process(opens_after(1));
        call(&payment).await.expect_err("refused");
        assert_eq!(payment.breaker_state(), BreakerState::Open);
    }
}

#[tokio::test]
async fn a_callee_without_its_own_database_opens_the_circuit() {
    let down = Error::Store(StoreError::Unavailable(DbErr::Custom("gone".to_owned())));
    let payment = Callee::that(Does::Fail(down.into())).in_process(opens_after(1));
    call(&payment).await.expect_err("no database");
    assert_eq!(payment.breaker_state(), BreakerState::Open);
}

#[tokio::test]
async fn what_a_callee_says_of_another_context_does_not_open_its_circuit() {
    let down = Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "provider cannot be reached").with("context", "provider");
    let payment = Callee::that(Does::Refuse(down)).in_process(opens_after(1));
    call(&payment).await.expect_err("refused");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);

    let registry = InProcess::new();
    registry.register("reservation", Callee::that(Does::say_that_it_cannot_serve()).service());
    let upstreams = Upstreams::in_process("gateway", registry, Arc::new(Named), opens_after(1));
    let reservation = upstreams.get("reservation").expect("a registry");
    call(&reservation).await.expect_err("refused");
    assert_eq!(reservation.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn timeouts_open_the_circuit() {
    let payment = Callee::that(Does::Hang).in_process(Limits { timeout: Duration::from_millis(20), ..opens_after(2) });
    for _ in 0..2 {
        assert_eq!(call(&payment).await.expect_err("too slow").code(), Code::DeadlineExceeded);
    }
    assert_eq!(payment.breaker_state(), BreakerState::Open);
}

#[tokio::test]
async fn timeouts_of_callers_with_short_deadlines_do_not_open_the_circuit() {
    let payment = Callee::that(Does::Hang).in_process(Limits { timeout: Duration::from_secs(60), ..opens_after(1) });
    for _ in 0..3 {
        make(&payment, within(Duration::from_millis(5))).await.expect_err("too slow");
    }
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_callee_that_was_left_no_time_for_its_work_does_not_open_the_circuit() {
    let payment = Callee::that(Does::say_that_it_cannot_serve()).in_process(opens_after(1));
    make(&payment, within(Duration::from_millis(90))).await.expect_err("no time to ask the provider");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
    make(&payment, within(Duration::from_secs(10))).await.expect_err("it cannot serve");
    assert_eq!(payment.breaker_state(), BreakerState::Open);
}

#[tokio::test]
async fn a_probe_with_a_short_deadline_neither_closes_the_circuit_nor_ends_its_rest() {
    let down = Does::Fail(Status::unavailable("down"));
    let callee = Callee::that_first([down, Does::say_that_it_cannot_serve()], Does::Answer);
    let rest = Duration::from_millis(400);
    let payment = callee.in_process(Limits { breaker_backoff: rest, breaker_max_backoff: rest, ..opens_after(1) });
    call(&payment).await.expect_err("down");
    rest_is_over(&payment).await;
    make(&payment, within(Duration::from_millis(90))).await.expect_err("no time to ask the provider");
    assert_eq!(payment.breaker_state(), BreakerState::Open);
    assert!(surely_not_sent(&call(&payment).await.expect_err("the callee rests")));
    rest_is_over(&payment).await;
    call(&payment).await.expect("the next probe is answered");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn timeouts_of_callers_with_fair_deadlines_open_the_circuit() {
    let payment = Callee::that(Does::Hang).in_process(Limits { timeout: Duration::from_millis(100), ..opens_after(1) });
    make(&payment, within(Duration::from_millis(80))).await.expect_err("too slow");
    assert_eq!(payment.breaker_state(), BreakerState::Open);
}

#[tokio::test]
async fn calls_above_the_limit_are_shed_and_count_as_failures() {
    let callee = Callee::that(Does::Hold);
    let payment = callee.in_process(Limits { in_flight: 2, breaker_in_flight: 100, ..opens_after(3) });
    let held = [spawn_call(&payment), spawn_call(&payment)];
    callee.has_seen(2).await;

    for _ in 0..3 {
        assert_eq!(payment.breaker_state(), BreakerState::Closed);
        let status = call(&payment).await.expect_err("shed");
        assert!(surely_not_sent(&status));
        assert_eq!(reason(&status), Some(Reason::UPSTREAM_UNAVAILABLE));
    }
    assert_eq!(payment.breaker_state(), BreakerState::Open);

    callee.let_go(2);
    for call in held {
        call.await.expect("no panic").expect("what was let in is answered");
    }
    assert_eq!(callee.calls(), 2);
}

#[tokio::test]
async fn callers_with_short_deadlines_do_not_open_the_circuit_even_when_they_fill_the_limit() {
    let timeout = Duration::from_secs(60);
    let callee = Callee::that(Does::Hang);
    let payment = callee.in_process(Limits { in_flight: 2, breaker_in_flight: 2, timeout, ..opens_after(3) });
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let payment = payment.clone();
        calls.spawn(async move { make(&payment, within(Duration::from_millis(50))).await.map(|_| ()) });
    }
    let outcomes = calls.join_all().await;
    let shed = |outcome: &Result<(), Status>| outcome.as_ref().is_err_and(surely_not_sent);
    assert!(outcomes.iter().filter(|outcome| shed(outcome)).count() >= 3, "{outcomes:?}");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_callee_that_stops_answering_opens_the_circuit_before_the_first_timeout() {
    let callee = Callee::that(Does::Hang);
    let timeout = Duration::from_secs(2);
    let payment = callee.in_process(Limits { breaker_in_flight: 4, timeout, ..opens_after(3) });
    let mut hanging: Vec<_> = (0..4).map(|_| spawn_call(&payment)).collect();
    callee.has_seen(4).await;
    // A full set of calls may go unanswered for this long.
    tokio::time::sleep(timeout / 10).await;
    hanging.extend((0..2).map(|_| spawn_call(&payment)));
    callee.has_seen(6).await;
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
    assert!(surely_not_sent(&call(&payment).await.expect_err("the third that began while the set is full")));
    assert_eq!(payment.breaker_state(), BreakerState::Open);
    hanging.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_burst_to_a_callee_that_answers_all_of_it_does_not_open_the_circuit() {
    let callee = Callee::that(Does::Hold);
    let timeout = Duration::from_secs(60);
    let payment = callee.in_process(Limits { breaker_in_flight: 4, timeout, ..opens_after(3) });
    let burst: Vec<_> = (0..20).map(|_| spawn_call(&payment)).collect();
    tokio::time::timeout(timeout / 20, callee.has_seen(20)).await.expect("none is refused");
    assert_eq!(payment.breaker_state(), BreakerState::Closed, "nothing has failed");
    callee.let_go(20);
    for call in burst {
        call.await.expect("no panic").expect("answered");
    }
}

#[tokio::test]
async fn limits_belong_to_a_pair_of_caller_and_callee() {
    let registry = InProcess::new();
    registry.register("payment", Callee::that(Does::Fail(Status::unavailable("down"))).service());
    registry.register("room", Callee::that(Does::Answer).service());
    let of = |caller: &str| Upstreams::in_process(caller, registry.clone(), Arc::new(Named), opens_after(1));
    let (reservation, order) = (of("reservation"), of("order"));

    call(&reservation.get("payment").expect("a registry")).await.expect_err("down");
    let state = |upstreams: &Upstreams, callee: &str| upstreams.get(callee).expect("a registry").breaker_state();
    assert_eq!(state(&reservation, "payment"), BreakerState::Open);
    assert_eq!(state(&reservation.clone(), "payment"), BreakerState::Open);
    assert_eq!(state(&reservation, "room"), BreakerState::Closed);
    assert_eq!(state(&order, "payment"), BreakerState::Closed);
}
