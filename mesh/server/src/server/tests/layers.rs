use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::BodyExt;
use mesh_foundation::error::Reason;
use mesh_transport::auth::access::AccessTable;
use tokio::time::Instant;
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;

use super::*;
use crate::server::connection::{IdleTimeouts, Usage};

#[tokio::test]
async fn a_call_reaches_its_handler_with_its_caller() {
    let bench = bench();
    let answer = bench.call("Do", SAY_WHO).await;
    assert!(answer.text().starts_with(&mesh_transport::auth::verify::user_name("jumak", "alice")));
    let token = bench.reservation.for_callee("test").unwrap();
    let answer = bench.send(request("Do", &token, framed(&message(SAY_WHO)))).await;
    assert!(answer.text().starts_with("contexts/reservation "));
    assert!(!bench.seen.lock().unwrap().contains_key("authorization"), "the token must not reach the handler");
}

#[tokio::test]
async fn a_call_without_a_good_token_is_refused_before_its_request_is_read() {
    let bench = bench();
    let mut unread = bench.request("Do", "x");
    *unread.body_mut() = Body::new(StreamBody::new(futures::stream::pending::<Result<_, Status>>()));
    unread.headers_mut().remove("authorization");
    assert_eq!(bench.send(unread).await.refusal().reason, Reason::TOKEN_MISSING);

    let elsewhere = bench.reservation.for_callee("payment").unwrap();
    let answer = bench.send(request("Do", &elsewhere, framed(&message("x")))).await;
    assert_eq!(answer.refusal().reason, Reason::TOKEN_INVALID);
    assert_eq!(answer.status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn only_a_call_with_a_good_token_lets_its_connection_stay() {
    let bench = bench();
    let usage = Usage::new();
    let on_it = |mut request: Request<Body>| {
        request.extensions_mut().insert(usage.clone());
        bench.send(request)
    };
    let mut nameless = bench.request("Do", "x");
    nameless.headers_mut().remove("authorization");
    assert_eq!(on_it(nameless).await.refusal().reason, Reason::TOKEN_MISSING);
    assert_eq!(usage.kept(&IdleTimeouts::DEFAULT), IdleTimeouts::DEFAULT.stranger);
    assert_eq!(on_it(bench.request("Do", "x")).await.text(), "x");
    assert_eq!(usage.kept(&IdleTimeouts::DEFAULT), IdleTimeouts::DEFAULT.idle);
}

#[tokio::test]
async fn a_caller_cannot_bring_their_own_identity() {
    let bench = bench();
    let mut request = bench.request("Do", SAY_WHO);
    request.extensions_mut().insert(Caller {
        principal: mesh_foundation::call::Principal::Context { name: "payment".to_owned() },
        correlation_id: "mine".to_owned(),
        deadline: Instant::now(),
    });
    assert!(bench.send(request).await.text().starts_with("users/"));
}

#[tokio::test]
async fn a_method_that_the_table_does_not_list_is_denied_to_everybody() {
    let bench = bench();
    let token = bench.user(&Role::ALL);
    let answer = bench.send(request("Unlisted", &token, framed(&message("x")))).await;
    assert_eq!(answer.status.code(), Code::PermissionDenied);
    assert_eq!(answer.refusal().reason, Reason::ROLE_REQUIRED);

    let differences = AccessTable::new(RULES, &[]).unwrap().differences(&contract(), &[SERVICE]);
    assert_eq!(differences.unruled, [format!("{SERVICE}/Unlisted")].into(), "and a test of the table finds it");
}

#[tokio::test]
async fn a_method_needs_its_role() {
    let bench = bench();
    assert_eq!(bench.call("DoAsHost", "x").await.refusal().metadata["role"], "host");
    let host = bench.user(&[Role::Host]);
    assert_eq!(bench.send(request("DoAsHost", &host, framed(&message("x")))).await.text(), "x");
}

#[tokio::test]
async fn a_method_that_there_is_not_is_unimplemented() {
    let answer = bench().call("Dance", "x").await;
    assert_eq!(answer.status.code(), Code::Unimplemented);
    assert!(answer.status.message().contains("TestService/Dance"));
}

#[tokio::test]
async fn a_correlation_id_comes_back_and_one_is_made_if_there_is_none() {
    let bench = bench();
    let id = |answer: &Answer| answer.headers["x-correlation-id"].to_str().unwrap().to_owned();
    let mut request = bench.request("Do", SAY_WHO);
    request.headers_mut().insert("x-correlation-id", HeaderValue::from_static("order-42"));
    let answer = bench.send(request).await;
    assert_eq!(id(&answer), "order-42");
    assert_eq!(answer.text().split(' ').nth(1), Some("order-42"), "the handler has it too");

    let made = bench.call("Do", "x").await;
    assert_eq!(Uuid::parse_str(&id(&made)).unwrap().get_version_num(), 7);

    let mut request = bench.request("Unlisted", "x");
    request.headers_mut().insert("x-correlation-id", HeaderValue::from_static("no spaces"));
    let refused = bench.send(request).await;
    assert_eq!(Uuid::parse_str(&id(&refused)).unwrap().get_version_num(), 7, "a refusal has one too");
}

#[tokio::test]
async fn a_call_without_a_deadline_has_ten_seconds() {
    let bench = bench();
    let text = bench.call("Do", SAY_WHO).await.text();
    let remaining: f64 = text.split(' ').nth(2).unwrap().parse().unwrap();
    assert!((9.0..10.0).contains(&remaining), "{remaining}");
}

#[tokio::test]
async fn a_slow_handler_is_given_up_with_our_reason() {
    let bench = bench();
    let mut request = bench.request("Do", HANG);
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("1500m"));
    let before = Instant::now();
    let answer = bench.send(request).await;
    assert_eq!(answer.status.code(), Code::DeadlineExceeded);
    assert_eq!(answer.refusal().reason, Reason::DEADLINE_EXCEEDED);
    assert!(before.elapsed() < Duration::from_millis(1_500), "before the caller's own timer");
}

#[tokio::test]
async fn a_call_whose_time_is_over_does_not_begin() {
    let bench = bench();
    let mut request = bench.request("Do", PANIC);
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("0m"));
    assert_eq!(bench.send(request).await.refusal().reason, Reason::DEADLINE_EXCEEDED);
}

#[tokio::test]
async fn a_stream_ends_at_its_own_deadline() {
    let bench = bench();
    let mut request = bench.request("Watch", "first");
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("200m"));
    let before = Instant::now();
    let answer = bench.send(request).await;
    assert!(before.elapsed() >= Duration::from_millis(180));
    assert_eq!(answer.refusal().reason, Reason::DEADLINE_EXCEEDED);
    assert_eq!(answer.messages, framed(&message("first")));
}

#[tokio::test]
async fn a_call_above_the_limit_is_refused_with_a_time_to_retry() {
    let bench = bench_with(LimitsConfig { in_flight: 2, ..LimitsConfig::default() });
    let in_hand = [bench.hang().await, bench.hang().await];
    let refusal = bench.call("Do", "x").await.refusal();
    assert_eq!(refusal.reason, Reason::OVERLOADED);
    assert_eq!(refusal.reason.code(), Code::ResourceExhausted);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(refusal.metadata["context"], "test");
    bench.go_on.add_permits(2);
    for call in in_hand {
        assert_eq!(call.await.unwrap().text(), HANG);
    }
    assert_eq!(bench.call("Do", "x").await.text(), "x");
}

#[tokio::test]
async fn a_caller_who_hangs_up_gives_the_permit_back() {
    let bench = bench_with(LimitsConfig { in_flight: 1, ..LimitsConfig::default() });
    let call = bench.hang().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(bench.call("Do", "x").await.text(), "x");
}

#[tokio::test]
async fn an_open_stream_counts_until_it_is_closed_and_takes_no_calls_place() {
    let bench = bench_with(LimitsConfig { in_flight: 1, open_streams: 1, ..LimitsConfig::default() });
    let open = bench.service.clone().oneshot(bench.request("Watch", "x")).await.unwrap();
    assert_eq!(bench.call("Do", "x").await.text(), "x");
    assert_eq!(bench.call("Watch", "x").await.refusal().reason, Reason::OVERLOADED);
    drop(open);
    let mut open = bench.service.clone().oneshot(bench.request("Watch", "x")).await.unwrap();
    assert!(open.body_mut().frame().await.unwrap().unwrap().is_data());
}

#[tokio::test]
async fn a_panic_costs_its_own_call_only() {
    let bench = bench();
    let answer = bench.call("Do", PANIC).await;
    assert_eq!(answer.status.code(), Code::Internal);
    assert_eq!(answer.refusal().reason, Reason::INTERNAL);
    assert!(!answer.status.message().contains("told to"));
    assert_eq!(bench.call("Do", "x").await.text(), "x");

    let answer = bench.call("Watch", PANIC_LATER).await;
    assert_eq!(answer.refusal().reason, Reason::INTERNAL);
    assert_eq!(answer.messages, framed(&message(PANIC_LATER)));
}

#[tokio::test]
async fn a_draining_context_finishes_what_it_has_and_takes_no_more() {
    let bench = bench();
    let in_hand = bench.hang().await;
    let stream = bench.service.clone().oneshot(bench.request("Watch", "first")).await.unwrap();
    bench.service.drain();
    let refusal = bench.call("Do", "x").await.refusal();
    assert_eq!(refusal.reason, Reason::DRAINING);
    assert_eq!(refusal.metadata["context"], "test");

    let ended = Answer::read(stream).await;
    assert_eq!(ended.refusal().reason, Reason::DRAINING);
    assert_eq!(ended.messages, framed(&message("first")), "what was ready goes out first");

    bench.go_on.add_permits(1);
    assert_eq!(in_hand.await.unwrap().text(), HANG);
}

#[tokio::test]
async fn a_rule_for_a_method_that_is_not_served_keeps_the_context_from_starting() {
    let routes = Routes::from(axum::Router::new());
    let parts = |services, access| Parts { name: "test", services, routes: routes.clone(), access, owners: [].into() };
    let build =
        |parts| ContextService::of(parts, &contract(), Verifier::new(Trust::default()), &LimitsConfig::default());
    const TYPO: &[Rule] = &[Rule::anyone("test.v1.TestService/Doo")];
    assert!(build(parts(&[SERVICE], TYPO)).unwrap_err().to_string().contains("TestService/Doo"));
    assert!(build(parts(&["test.v1.NoService"], &[])).is_err());
}

/// A log to be read by a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_the_outcome_of_each_call_and_nothing_of_its_contents() {
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
    // While there is one subscriber only, tracing asks it about a new log line through the thread that reaches the line first; that
    // may be another test's, which has none, and the line would be off for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let bench = bench();
    let token = bench.user(&[Role::Guest]);
    bench.send(request("Do", &token, framed(&message("my name is Alice")))).await.text();
    bench.send(request("Do", &token, framed(&message("4111111111111111")))).await.refusal();
    let hanging = bench.hang().await;
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["message"] == "answered")
        .collect();
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["DEBUG", "DEBUG", "DEBUG"], "there is nothing in them for an operator");
    let codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["Ok", "InvalidArgument", "Cancelled"]);
    for line in lines {
        assert_eq!(line["span"]["method"], "test.v1.TestService/Do");
        assert!(line["span"]["correlation_id"].is_string());
        assert!(line["duration_ms"].is_number());
    }
    for secret in ["Alice", "4111111111111111", token.as_str(), "users/"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
