//! Over a socket and in process, the same calls end the same way.

use std::collections::BTreeMap;

use super::*;

/// All that a caller can see of how a call ended.
#[derive(Debug, PartialEq)]
struct Seen {
    code: Code,
    message: String,
    reason: Option<Reason>,
    metadata: BTreeMap<String, String>,
    not_sent: bool,
    version: Option<String>,
    circuit: BreakerState,
}

async fn outcome_of(does: Does, over_a_socket: bool) -> Seen {
    let timeout = Duration::from_millis(if matches!(does, Does::Hang) { 100 } else { 5000 });
    let callee = Callee::that(does);
    let limits = Limits { breaker_failures: 1, timeout, ..limits() };
    let payment = if over_a_socket { callee.over_a_socket(limits).await } else { callee.in_process(limits) };
    let outcome = call(&payment).await;
    assert_eq!(callee.calls(), 1);
    let version = |metadata: &MetadataMap| metadata.get("x-version").map(|value| format!("{value:?}"));
    let (status, version) = match &outcome {
        Ok(response) => (Status::ok(""), version(response.metadata())),
        Err(status) => (status.clone(), version(status.metadata())),
    };
    Seen {
        code: status.code(),
        message: status.message().to_owned(),
        reason: reason(&status),
        metadata: Refusal::from_status(&status).map(|refusal| refusal.metadata).unwrap_or_default(),
        not_sent: surely_not_sent(&status),
        version,
        circuit: payment.breaker_state(),
    }
}

#[tokio::test]
async fn both_leaves_end_every_call_alike() {
    let refusals = reasons().map(|reason| {
        let refusal = Refusal::new(reason, "no, \"and why\": 100 %").with("payment", "payments/1");
        Does::Refuse(refusal.retry_after(Duration::from_secs(1)))
    });
    let statuses = (1..=16).map(|code| Does::Fail(Status::new(Code::from_i32(code), "from somewhere")));
    let others = [Does::Answer, Does::Panic, Does::Hang];
    for does in refusals.chain(statuses).chain(others) {
        assert_eq!(outcome_of(does.clone(), true).await, outcome_of(does, false).await);
    }
}

#[tokio::test]
async fn a_callee_that_panics_leaves_its_caller_alive_and_the_outcome_unknown() {
    for over_a_socket in [true, false] {
        let seen = outcome_of(Does::Panic, over_a_socket).await;
        assert_eq!((seen.reason, seen.not_sent), (Some(Reason::UPSTREAM_UNAVAILABLE), false));
        assert_eq!(seen.circuit, BreakerState::Open);
    }
}

#[tokio::test]
async fn what_a_reply_says_beside_its_message_arrives() {
    assert_eq!(outcome_of(Does::Answer, true).await.version.as_deref(), Some("\"7\""));
}

#[tokio::test]
async fn an_absent_callee_fails_a_call_alike_on_both_leaves() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let far = call(&upstream_at(address, limits())).await.expect_err("nobody listens");
    let near = call(&upstream(InProcess::new(), limits())).await.expect_err("nobody runs");
    assert_eq!((far.code(), reason(&far)), (near.code(), reason(&near)));
    assert!(surely_not_sent(&far) && surely_not_sent(&near));
}

#[tokio::test]
async fn a_callee_that_comes_back_is_found_again() {
    let callee = Callee::that(Does::Answer);
    let serve = async |listener: tokio::net::TcpListener| {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tonic::transport::Server::builder().add_service(HealthServer::new(callee.clone()));
        let stopped = async { drop(stopped.await) };
        (stop, tokio::spawn(server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped)))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let payment = upstream_at(address, limits());

    let (stop, server) = serve(listener).await;
    call(&payment).await.expect("it runs");
    drop(stop);
    server.await.expect("no panic").expect("a clean end");
    call(&payment).await.expect_err("it has stopped");

    let listener = tokio::net::TcpListener::bind(address).await.expect("its port is free again");
    let (_stop, _server) = serve(listener).await;
    // The connection may take one more call to notice.
    let found = async { while call(&payment).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(5), found).await.expect("found again");
}
