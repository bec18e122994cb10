//! What is known of a call that failed, and when it is tried again.

use super::*;

fn attempts(attempts: u32) -> Limits {
    Limits { attempts, ..limits() }
}

fn unknown() -> Does {
    Does::Fail(Status::unavailable("upstream connect error or disconnect/reset before headers"))
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn a_refused_connection_is_surely_not_sent() {
    let payment = upstream_at(nobody().await, attempts(3));
    let status = make(&payment, request().idempotent()).await.expect_err("nobody listens");
    assert_eq!(reason(&status), Some(Reason::UPSTREAM_UNAVAILABLE));
    assert!(surely_not_sent(&status));
}

#[tokio::test]
async fn a_context_that_does_not_run_is_surely_not_asked_until_it_runs() {
    let registry = InProcess::new();
    let payment = upstream(registry.clone(), limits());
    assert!(surely_not_sent(&call(&payment).await.expect_err("nobody there")));

    registry.register("payment", Callee::that(Does::Answer).service());
    call(&payment).await.expect("it runs");

    registry.remove("payment");
    assert!(surely_not_sent(&call(&payment).await.expect_err("nobody there")));
}

#[tokio::test]
async fn a_timeout_is_unknown() {
    let payment = Callee::that(Does::Hang).in_process(Limits { timeout: Duration::from_millis(20), ..limits() });
    let status = call(&payment).await.expect_err("too slow");
    assert_eq!(reason(&status), Some(Reason::DEADLINE_EXCEEDED));
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn a_status_without_our_error_info_is_unknown() {
    for code in (1..=16).map(Code::from_i32) {
        let payment = Callee::that(Does::Fail(Status::new(code, "from somewhere"))).in_process(limits());
        let status = call(&payment).await.expect_err("refused");
        assert_eq!((status.code(), surely_not_sent(&status)), (code, false));
    }
}

#[tokio::test]
async fn only_a_refusal_by_the_callees_own_layers_is_not_sent() {
    let layers = [Reason::OVERLOADED, Reason::RATE_LIMITED, Reason::STARTING, Reason::DRAINING];
    for asked in reasons() {
        let payment = Callee::that(Does::refuse(asked.clone())).in_process(limits());
        let status = call(&payment).await.expect_err("refused");
        assert_eq!(reason(&status), Some(asked.clone()));
        let by_its_layers = layers.contains(&asked);
        assert_eq!(surely_not_sent(&status), by_its_layers, "{}", asked.as_str());
    }
}

#[tokio::test]
async fn a_refusal_that_the_callee_passes_on_is_unknown() {
    let provider = Callee::that(Does::refuse(Reason::OVERLOADED)).in_process(limits());
    let refused = call(&provider).await.expect_err("overloaded");
    assert!(surely_not_sent(&refused));

    // The context in between was asked, and may have done its own part before it passed the refusal on.
    let registry = InProcess::new();
    registry.register("order", Callee::that(Does::Fail(refused)).service());
    let order = Upstreams::in_process("gateway", registry, Arc::new(Named), limits()).get("order").expect("a registry");
    let status = call(&order).await.expect_err("passed on");
    assert_eq!(reason(&status), Some(Reason::OVERLOADED));
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn one_unknown_attempt_makes_the_whole_call_unknown() {
    let turned_away = Does::refuse(Reason::OVERLOADED);
    for order in [[unknown(), turned_away.clone()], [turned_away.clone(), unknown()]] {
        let callee = Callee::that_first(order, turned_away.clone());
        let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("refused");
        assert!(!surely_not_sent(&status));
        assert_eq!(callee.calls(), 3);
    }

    let callee = Callee::that(turned_away);
    let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("refused");
    assert!(surely_not_sent(&status));
    assert_eq!(callee.calls(), 3);
}

#[tokio::test]
async fn an_unknown_attempt_outweighs_the_circuit_that_it_opens() {
    let callee = Callee::that(unknown());
    let rest = Duration::from_secs(60);
    let limits = Limits { breaker_failures: 1, breaker_backoff: rest, breaker_max_backoff: rest, ..attempts(3) };
    let payment = callee.in_process(limits);
    let status = make(&payment, request().idempotent()).await.expect_err("down");
    assert_eq!(payment.breaker_state(), BreakerState::Open);
    assert!(!surely_not_sent(&status));
    assert_eq!(callee.calls(), 1, "an open circuit is not hammered");
}

#[tokio::test]
async fn a_callee_that_cannot_serve_says_nothing_about_an_earlier_attempt() {
    let callee = Callee::that_first([unknown()], Does::say_that_it_cannot_serve());
    let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("refused");
    assert_eq!(callee.calls(), 2);
    assert_eq!(reason(&status), None, "the first attempt may have been charged: {status:?}");
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn a_refusal_by_another_replicas_layers_says_nothing_about_an_earlier_attempt() {
    let at_the_door = [
        Reason::CARD_NUMBER_REFUSED,
        Reason::TOKEN_INVALID,
        Reason::ISSUER_UNAVAILABLE,
        Reason::ROLE_REQUIRED,
        Reason::INTERNAL,
    ];
    let nobodys = [Code::Unimplemented, Code::FailedPrecondition].map(|code| Does::Fail(Status::new(code, "no")));
    for second in at_the_door.map(Does::refuse).into_iter().chain(nobodys) {
        let callee = Callee::that_first([unknown()], second);
        let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("refused");
        assert_eq!(callee.calls(), 2);
        assert_eq!(status.code(), Code::Unavailable, "the first attempt may have been charged: {status:?}");
        assert!(!surely_not_sent(&status));
    }
}

#[tokio::test]
async fn an_answer_after_an_unknown_attempt_is_the_answer() {
    let callee = Callee::that_first([unknown()], Does::refuse(DECLINED));
    let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("declined");
    assert_eq!(reason(&status), Some(DECLINED));
    assert_eq!(callee.calls(), 2, "a decline is final");
}

#[tokio::test]
async fn a_call_is_tried_again_only_if_it_may_be_sent_twice() {
    let callee = Callee::that_first([unknown(), unknown()], Does::Answer);
    call(&callee.in_process(attempts(3))).await.expect_err("not marked");
    assert_eq!(callee.calls(), 1);
    make(&callee.in_process(attempts(3)), request().idempotent()).await.expect("the second attempt is answered");
    assert_eq!(callee.calls(), 3);
}

#[tokio::test]
async fn what_the_callee_passes_on_is_not_tried_again() {
    let down = Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "provider cannot be reached").with("context", "provider");
    let callee = Callee::that(Does::Refuse(down));
    make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("passed on");
    assert_eq!(callee.calls(), 1);
}

#[tokio::test]
async fn retries_end_with_the_budget() {
    let callee = Callee::that(unknown());
    let payment = callee.in_process(Limits { retry_percent: 50, retries_per_second: 0, ..attempts(2) });
    for _ in 0..10 {
        make(&payment, request().idempotent()).await.expect_err("down");
    }
    assert_eq!(callee.calls(), 15, "ten calls at fifty percent earn five retries");
}

#[tokio::test]
async fn a_callee_that_asks_for_longer_than_the_caller_listens_is_not_tried_again() {
    let busy = Refusal::new(Reason::OVERLOADED, "busy").retry_after(Duration::from_secs(60));
    let callee = Callee::that(Does::Refuse(busy));
    let begun = Instant::now();
    let status = make(&callee.in_process(attempts(3)), request().idempotent()).await.expect_err("busy");
    assert!(surely_not_sent(&status));
    assert!(begun.elapsed() < Duration::from_secs(5), "it waited {:?} for nothing", begun.elapsed());
    assert_eq!(callee.calls(), 1);
}
