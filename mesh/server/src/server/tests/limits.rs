//! What one caller can take from all others.

use futures::StreamExt;
use http_body_util::BodyExt;
use mesh_foundation::error::Reason;

use super::*;

/// A body that begins and never ends.
fn endless() -> Body {
    let begun = futures::stream::iter([Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(&[0, 0])))]);
    Body::new(StreamBody::new(begun.chain(futures::stream::pending())))
}

impl Bench {
    fn request_of(&self, person: &str, method: &str, text: &str) -> Request<Body> {
        let token = self.issuer.mint_user(person, &[Role::Guest], Duration::from_secs(60)).unwrap();
        request(method, &token, framed(&message(text)))
    }
}

#[tokio::test]
async fn people_do_not_take_the_places_of_contexts() {
    let bench = bench_with(LimitsConfig { in_flight: 1, ..LimitsConfig::default() });
    let in_hand = bench.hang().await;
    assert_eq!(bench.send(bench.request_of("bob", "Do", "x")).await.refusal().reason, Reason::OVERLOADED);
    let token = bench.reservation.for_callee("test").unwrap();
    assert_eq!(bench.send(request("Do", &token, framed(&message("x")))).await.text(), "x");
    bench.go_on.add_permits(1);
    assert_eq!(in_hand.await.unwrap().text(), HANG);
}

#[tokio::test]
async fn one_person_does_not_take_the_places_of_another() {
    let bench = bench_with(LimitsConfig { in_flight_per_person: 1, ..LimitsConfig::default() });
    let in_hand = bench.hang().await;
    let refusal = bench.call("Do", "x").await.refusal();
    assert_eq!(refusal.reason, Reason::OVERLOADED);
    assert!(refusal.message.contains("per person"), "{refusal}");
    assert_eq!(bench.send(bench.request_of("bob", "Do", "x")).await.text(), "x");
    bench.go_on.add_permits(1);
    assert_eq!(in_hand.await.unwrap().text(), HANG);
    assert_eq!(bench.call("Do", "x").await.text(), "x", "the place is given back");
}

#[tokio::test]
async fn one_person_does_not_open_all_the_streams() {
    let bench = bench_with(LimitsConfig { open_streams_per_person: 1, ..LimitsConfig::default() });
    let open = bench.service.clone().oneshot(bench.request("Watch", "x")).await.unwrap();
    assert_eq!(bench.call("Watch", "x").await.refusal().reason, Reason::OVERLOADED);
    let mut bobs = bench.service.clone().oneshot(bench.request_of("bob", "Watch", "x")).await.unwrap();
    assert!(bobs.body_mut().frame().await.unwrap().unwrap().is_data());
    drop(open);
    let mut again = bench.service.clone().oneshot(bench.request("Watch", "x")).await.unwrap();
    assert!(again.body_mut().frame().await.unwrap().unwrap().is_data());
}

#[tokio::test]
async fn a_request_that_comes_slowly_is_not_waited_for() {
    let bench = bench();
    let slow = |method| {
        let mut request = bench.request(method, "x");
        request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("30S"));
        *request.body_mut() = endless();
        bench.send(request)
    };
    let (call, stream) = tokio::join!(slow("Do"), slow("Watch"));
    for answer in [call, stream] {
        let refusal = answer.refusal();
        assert_eq!(refusal.reason, Reason::DEADLINE_EXCEEDED);
        assert!(refusal.message.contains("did not arrive"), "{refusal}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let bench = bench();
    // As good as over: what is left is the difference that two clocks may have.
    let token = bench.issuer.mint_user("alice", &[Role::Guest], Duration::ZERO).unwrap();
    let answer = bench.send(request("Watch", &token, framed(&message("first")))).await;
    assert_eq!(answer.refusal().reason, Reason::TOKEN_EXPIRED);
    assert_eq!(answer.messages, framed(&message("first")));
}

#[tokio::test]
async fn a_stream_that_always_has_one_more_message_is_cut_all_the_same() {
    let more = futures::stream::repeat_with(|| Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(b"x"))));
    let reply = Response::new(Body::new(StreamBody::new(more)));
    let cut = crate::server::body::cut(reply, std::future::ready(Status::unavailable("over")));
    let answer = Answer::read(cut).await;
    assert_eq!(answer.status.code(), Code::Unavailable);
    assert!(answer.messages.len() < 100);
}

#[tokio::test]
async fn two_tokens_in_one_call_are_one_too_many() {
    let bench = bench();
    let mut request = bench.request("Do", "x");
    let own = request.headers()["authorization"].clone();
    request.headers_mut().append("authorization", own);
    assert_eq!(bench.send(request).await.refusal().reason, Reason::TOKEN_INVALID);
}

#[tokio::test]
async fn a_card_number_is_no_correlation_id() {
    let bench = bench();
    let mut request = bench.request("Do", SAY_WHO);
    request.headers_mut().insert("x-correlation-id", HeaderValue::from_static("4111111111111111"));
    let answer = bench.send(request).await;
    assert!(!answer.text().contains("4111111111111111"));
    assert_ne!(answer.headers["x-correlation-id"], "4111111111111111");
}

#[tokio::test]
async fn a_large_request_is_searched_too() {
    let bench = bench();
    let harmless = "x".repeat(100 * 1024);
    assert_eq!(bench.call("Do", &harmless).await.text(), harmless);
    let refusal = bench.call("Do", &format!("{harmless} 4111 1111 1111 1111")).await.refusal();
    assert_eq!(refusal.reason, Reason::CARD_NUMBER_REFUSED);
}
