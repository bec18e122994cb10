//! What goes along with a call, and where none may be made.

use mesh_foundation::in_transaction::within as within_transaction;

use super::*;

/// What the callee was told about the time it has.
fn forwarded(metadata: &MetadataMap) -> Duration {
    let text = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).expect("always forwarded");
    Duration::from_micros(text.strip_suffix('u').and_then(|micros| micros.parse().ok()).expect("below a minute"))
}

#[tokio::test]
async fn each_attempt_forwards_what_remains_of_the_deadline() {
    let callee = Callee::that_first([Does::refuse(Reason::DRAINING)], Does::Answer);
    let payment = callee.in_process(Limits { attempts: 2, ..limits() });
    make(&payment, within(Duration::from_secs(3)).idempotent()).await.expect("the second attempt is answered");

    let times: Vec<_> = callee.seen().iter().map(forwarded).collect();
    assert!(times[0] <= Duration::from_secs(3) && times[0] > Duration::from_secs(2), "{times:?}");
    // The wait between the two is 12.5 ms at least.
    assert!(times[1] + Duration::from_millis(12) <= times[0], "{times:?}");
}

#[tokio::test]
async fn no_attempt_is_given_more_time_than_it_would_be_waited_for() {
    let callee = Callee::that(Does::Answer);
    call(&callee.in_process(Limits { timeout: Duration::from_secs(2), ..limits() })).await.expect("answered");
    assert!(forwarded(&callee.seen()[0]) <= Duration::from_secs(2));
}

#[tokio::test]
async fn a_caller_that_says_nothing_listens_for_ten_seconds() {
    let callee = Callee::that(Does::Answer);
    let payment = callee.in_process(Limits { timeout: Duration::from_secs(60), ..limits() });
    HealthClient::new(payment).check(HealthCheckRequest::default()).await.expect("answered");
    let seen = callee.seen();
    assert!(forwarded(&seen[0]) <= DEFAULT_DEADLINE && forwarded(&seen[0]) > Duration::from_secs(9));
    assert!(seen[0].contains_key("x-correlation-id"));
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_its_outcome_is_unknown() {
    let callee = Callee::that(Does::Hang);
    let begun = Instant::now();
    let status = make(&callee.in_process(limits()), within(Duration::from_millis(30))).await.expect_err("too slow");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(reason(&status), Some(Reason::DEADLINE_EXCEEDED));
    assert!(!surely_not_sent(&status));
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let callee = Callee::that(Does::Answer);
    let status = make(&callee.in_process(limits()), within(Duration::ZERO)).await.expect_err("too late");
    assert_eq!(reason(&status), Some(Reason::DEADLINE_EXCEEDED));
    assert!(surely_not_sent(&status));
    assert_eq!(callee.calls(), 0);
}

#[tokio::test]
async fn a_call_carries_its_business_case_and_a_token_for_its_callee() {
    let callee = Callee::that(Does::Answer);
    call(&callee.in_process(limits())).await.expect("answered");
    let seen = callee.seen();
    assert_eq!(seen[0].get("x-correlation-id").expect("sent"), "reservations/1");
    assert_eq!(seen[0].get("authorization").expect("sent"), "Bearer for-payment");
}

#[tokio::test]
async fn request_extensions_do_not_reach_a_callee_in_process() {
    let (tell, told) = std::sync::mpsc::channel();
    let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        tell.send(request.extensions().len()).expect("somebody listens");
        async { Ok::<_, std::convert::Infallible>(Status::ok("").into_http()) }
    });
    let registry = InProcess::new();
    registry.register("payment", ContextService::new(service));
    call(&upstream(registry, limits())).await.expect_err("a status and no message");
    assert_eq!(told.recv().expect("the callee was called"), 0);
}

#[tokio::test]
async fn a_token_that_comes_with_the_call_is_passed_on() {
    let callee = Callee::that(Does::Answer);
    let mut request = Request::from(request());
    request.metadata_mut().insert("authorization", "Bearer of-the-user".parse().expect("ascii"));
    HealthClient::new(callee.in_process(limits())).check(request).await.expect("answered");
    assert_eq!(callee.seen()[0].get("authorization").expect("sent"), "Bearer of-the-user");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    struct Broken;
    impl TokenSource for Broken {
        fn token(&self, _: &str) -> Result<String, Error> {
            Err(Error::Internal("no key".to_owned()))
        }
    }
    let callee = Callee::that(Does::Answer);
    let registry = InProcess::new();
    registry.register("payment", callee.service());
    let upstreams = Upstreams::in_process("reservation", registry, Arc::new(Broken), limits());
    let status = call(&upstreams.get("payment").expect("a registry")).await.expect_err("no token");
    assert_eq!(status.code(), Code::Internal);
    assert!(surely_not_sent(&status));
    assert_eq!(callee.calls(), 0);
}

#[tokio::test]
async fn a_call_inside_a_transaction_panics() {
    let callee = Callee::that(Does::Answer);
    let payment = callee.in_process(limits());
    let transaction = tokio::spawn(within_transaction("book", async move { call(&payment).await }));
    assert!(transaction.await.expect_err("a call inside a transaction").is_panic());
    assert_eq!(callee.calls(), 0);
}

#[tokio::test]
async fn a_callee_without_an_address_is_an_error_at_once() {
    let upstreams = Upstreams::builder("reservation", Arc::new(Named), limits()).build();
    let error = upstreams.get("payment").expect_err("no address");
    assert_eq!(error.to_string(), "internal: reservation has no address for payment; configure one");
}

#[tokio::test]
async fn a_malformed_address_is_an_error_at_once() {
    for uri in ["ftp://payment:50051", "payment:50051", "/payment", ""] {
        let builder = Upstreams::builder("reservation", Arc::new(Named), limits());
        assert!(builder.address("payment", uri).is_err(), "{uri}");
    }
}

#[tokio::test]
async fn an_address_goes_before_the_same_process() {
    let (near, far) = (Callee::that(Does::Answer), Callee::that(Does::Answer));
    let registry = InProcess::new();
    registry.register("payment", near.service());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let server = tonic::transport::Server::builder().add_service(HealthServer::new(far.clone()));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let builder = Upstreams::builder("reservation", Arc::new(Named), limits()).in_process(registry);
    let upstreams = builder.address("payment", &uri).expect("a good address").build();
    call(&upstreams.get("payment").expect("an address")).await.expect("answered");
    assert_eq!((near.calls(), far.calls()), (0, 1));
}
