//! Replies that no server of ours would send.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tonic::body::Body;

use super::*;

async fn status_for(reply: fn() -> http::Response<Body>) -> (Status, BreakerState) {
    let registry = InProcess::new();
    let service = tower::service_fn(move |_: http::Request<Body>| async move { Ok::<_, Infallible>(reply()) });
    registry.register("payment", ContextService::new(service));
    let payment = upstream(registry, Limits { breaker_failures: 1, ..limits() });
    (call(&payment).await.expect_err("no good reply"), payment.breaker_state())
}

#[tokio::test]
async fn a_proxys_503_is_unavailable_and_unknown() {
    let (status, circuit) = status_for(|| {
        let mut reply = http::Response::new(Body::empty());
        *reply.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        reply
    })
    .await;
    assert_eq!((status.code(), circuit), (Code::Unavailable, BreakerState::Open));
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn a_reply_that_ends_without_a_status_is_unknown() {
    let (status, circuit) = status_for(|| http::Response::new(Body::new(Full::new(Bytes::from_static(&[0; 5]))))).await;
    assert_eq!((status.code(), circuit), (Code::Unknown, BreakerState::Open));
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn a_status_in_the_trailers_is_seen_by_every_layer() {
    let (status, circuit) = status_for(|| {
        let trailers = [("grpc-status", "14"), ("grpc-message", "half way")];
        let trailers =
            trailers.map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        let body = Full::new(Bytes::from_static(&[0; 5]));
        let body = body.with_trailers(async move { Some(Ok(http::HeaderMap::from_iter(trailers))) });
        http::Response::new(Body::new(body))
    })
    .await;
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "half way"));
    assert_eq!(circuit, BreakerState::Open);
}

#[tokio::test]
async fn details_that_cannot_be_read_do_no_harm() {
    let (status, _) = status_for(|| {
        let reply =
            http::Response::builder().header("grpc-status", "9").header("grpc-status-details-bin", "not base64!");
        reply.body(Body::empty()).expect("good headers")
    })
    .await;
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_reply_larger_than_a_message_may_be_is_refused_and_says_nothing_about_the_callees_health() {
    let (status, circuit) =
        status_for(|| http::Response::new(Body::new(Full::new(Bytes::from(vec![0; 5 * 1024 * 1024]))))).await;
    assert_eq!((status.code(), circuit), (Code::OutOfRange, BreakerState::Closed));
}
