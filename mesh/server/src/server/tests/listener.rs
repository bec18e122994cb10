use mesh_foundation::error::Reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus as Serving, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::*;
use crate::server::{Contexts, Health, ServeError, ServeOptions, serve};

/// A bench behind a socket.
struct Process {
    bench: Bench,
    health: Health,
    stop: CancellationToken,
    endpoint: Endpoint,
    serving: JoinHandle<Result<(), ServeError>>,
}

const PROMPT: ServeOptions =
    ServeOptions { reflection: true, drain_deadline: Duration::from_secs(10), connections: 100, tls: None };

async fn process(options: ServeOptions) -> Process {
    let bench = bench();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let contexts = Contexts::from(vec![bench.service.clone()]);
    let health = Health::not_ready(&contexts).await;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, contexts, health.clone(), options, stop.clone()));
    Process { bench, health, stop, endpoint, serving }
}

impl Process {
    async fn connect(&self) -> Channel {
        self.endpoint.connect().await.unwrap()
    }

    async fn health(&self, service: &str) -> Serving {
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(self.connect().await).check(request).await.unwrap().into_inner().status()
    }
}

async fn over(channel: &Channel, request: Request<Body>) -> Answer {
    Answer::read(channel.clone().oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn health_follows_the_process_from_start_to_drain() {
    let process = process(PROMPT).await;
    for service in ["", SERVICE] {
        assert_eq!(process.health(service).await, Serving::NotServing, "before it is ready");
    }
    process.health.ready().await;
    for service in ["", SERVICE] {
        assert_eq!(process.health(service).await, Serving::Serving);
    }
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = HealthClient::new(process.connect().await).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving::Serving);
    process.stop.cancel();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving::NotServing);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable, "a watch does not hold up the stop");
    process.serving.await.unwrap().unwrap();
    assert!(process.endpoint.connect().await.is_err());
}

#[tokio::test]
async fn calls_to_a_context_that_is_starting_are_refused_as_starting_until_it_is_open() {
    let bench = bench();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let contexts = Contexts::expected([SERVICE]);
    let health = Health::not_ready(&contexts).await;
    let serving = tokio::spawn(serve(listener, contexts.clone(), health, PROMPT, CancellationToken::new()));
    let channel = endpoint.connect().await.unwrap();
    let early = over(&channel, bench.request("Do", "x")).await;
    assert_eq!((early.status.code(), early.refusal().reason), (Code::Unavailable, Reason::STARTING));
    contexts.open([bench.service.clone()]);
    assert_eq!(over(&channel, bench.request("Do", "x")).await.text(), "x");
    serving.abort();
}

#[tokio::test]
async fn calls_over_the_socket_pass_the_same_stack() {
    let process = process(PROMPT).await;
    let channel = process.connect().await;
    let answer = over(&channel, process.bench.request("Do", "x")).await;
    assert_eq!(answer.text(), "x");
    assert!(answer.headers.contains_key("x-correlation-id"));
    let mut nobody = process.bench.request("Do", "x");
    nobody.headers_mut().remove("authorization");
    assert_eq!(over(&channel, nobody).await.refusal().reason, Reason::TOKEN_MISSING);
}

/// tonic's server has a timer of its own for the same header, and says CANCELLED; ours has to be the faster one, every time. So has
/// tonic's client: where that one was faster, the server's answer was not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_answers_our_deadline_over_the_socket_too() {
    let process = process(PROMPT).await;
    let channel = process.connect().await;
    let calls = (0..50).map(|_| {
        let mut request = process.bench.request("Do", HANG);
        request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("1500m"));
        channel.clone().oneshot(request)
    });
    let answers: Vec<_> = futures::future::join_all(calls).await.into_iter().flatten().collect();
    assert!(!answers.is_empty());
    for answer in answers {
        assert_eq!(Answer::read(answer).await.refusal().reason, Reason::DEADLINE_EXCEEDED);
    }
}

#[tokio::test]
async fn a_service_that_is_not_here_is_named() {
    let process = process(PROMPT).await;
    let mut request = process.bench.request("Do", "x");
    *request.uri_mut() = "http://test/jumak.room.v1.RoomService/GetRoom".parse().unwrap();
    let answer = over(&process.connect().await, request).await;
    assert_eq!(answer.status.code(), Code::Unimplemented);
    assert!(answer.status.message().contains(SERVICE), "{:?}", answer.status);
}

#[tokio::test]
async fn a_refusal_repeats_only_the_beginning_of_an_unknown_name() {
    let process = process(PROMPT).await;
    let channel = process.connect().await;
    let long = "x".repeat(9_000);
    for path in [format!("/{long}/Do"), format!("/{SERVICE}/{long}"), format!("/{long}"), format!("/grpc.{long}/Do")] {
        let mut request = process.bench.request("Do", "x");
        *request.uri_mut() = format!("http://test{path}").parse().unwrap();
        let status = over(&channel, request).await.status;
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
        assert!(status.message().len() < 400, "{status:?}");
    }
    let ask = |name: String| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(name)),
    };
    let mut client = ServerReflectionClient::new(channel);
    let asked =
        client.server_reflection_info(tokio_stream::once(ask(long))).await.unwrap().into_inner().message().await;
    // Too long to be a name: it is not even looked for.
    assert!(asked.map_or_else(|status| status.message().len() < 400, |answer| answer.is_none()));
}

#[tokio::test]
async fn a_stop_waits_for_calls_in_hand() {
    let process = process(PROMPT).await;
    let channel = process.connect().await;
    let hanging = process.bench.request("Do", HANG);
    let call = tokio::spawn(async move { over(&channel, hanging).await });
    while process.bench.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    process.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!process.serving.is_finished());
    process.bench.go_on.add_permits(1);
    assert_eq!(call.await.unwrap().text(), HANG);
    process.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let process = process(ServeOptions { drain_deadline: Duration::from_millis(100), ..PROMPT }).await;
    let channel = process.connect().await;
    let hanging = process.bench.request("Do", HANG);
    let call = tokio::spawn(async move { channel.oneshot(hanging).await });
    while process.bench.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    process.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), process.serving).await.unwrap().unwrap().unwrap();
    call.abort();
}

/// A client who connects and says nothing, and one who says hello and nothing more.
#[tokio::test]
async fn connections_that_nobody_uses_do_not_hold_up_a_stop() {
    let process = process(PROMPT).await;
    let address = process.endpoint.uri().authority().unwrap().to_string();
    let _silent = TcpStream::connect(&address).await.unwrap();
    let mut hello = TcpStream::connect(&address).await.unwrap();
    // The preface and empty SETTINGS; neither pings nor a GOAWAY are answered.
    hello.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    hello.read_exact(&mut [0; 9]).await.unwrap();
    // And a check that never comes to its end.
    let body = Body::new(StreamBody::new(futures::stream::pending::<Result<_, Status>>()));
    let (channel, request) = (process.connect().await, health_request("Check", body));
    let check = tokio::spawn(async move { over(&channel, request).await });
    process.health("").await;
    process.stop.cancel();
    tokio::time::timeout(Duration::from_secs(4), process.serving).await.unwrap().unwrap().unwrap();
    check.abort();
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_its_place_comes_free() {
    let process = process(ServeOptions { connections: 1, ..PROMPT }).await;
    let first = process.connect().await;
    assert_eq!(over(&first, process.bench.request("Do", "x")).await.text(), "x");
    let mut second = TcpStream::connect(process.endpoint.uri().authority().unwrap().to_string()).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(5), second.read(&mut [0])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
    drop(first);
    let again = async {
        loop {
            let Ok(channel) = process.endpoint.connect().await else { continue };
            if let Ok(reply) = channel.oneshot(process.bench.request("Do", "x")).await {
                return Answer::read(reply).await.text();
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), again).await.unwrap(), "x");
}

fn health_request(method: &str, body: Body) -> Request<Body> {
    Request::post(format!("http://test/grpc.health.v1.Health/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_health_request_is_small() {
    let process = process(PROMPT).await;
    let channel = process.connect().await;
    let large = HealthCheckRequest { service: "x".repeat(2_000) };
    let request = health_request("Check", Body::new(Full::new(framed(&large.encode_to_vec()))));
    assert_eq!(over(&channel, request).await.status.code(), Code::OutOfRange);
}

/// Nobody needs a token to open them, so nobody may keep others from asking whether the process lives.
#[tokio::test]
async fn health_watches_are_bounded_and_take_no_permits_of_checks() {
    let process = process(PROMPT).await;
    process.health.ready().await;
    let channel = process.connect().await;
    let mut open = Vec::new();
    let refused = loop {
        let all = Body::new(Full::new(framed(&[])));
        let reply = channel.clone().oneshot(health_request("Watch", all)).await.unwrap();
        if reply.headers().contains_key("grpc-status") {
            break Answer::read(reply).await;
        }
        open.push(reply);
        assert!(open.len() < 190, "watches are not bounded");
    };
    assert_eq!(refused.refusal().reason, Reason::OVERLOADED);
    assert_eq!(process.health("").await, Serving::Serving);
    open.pop();
    let again = async {
        loop {
            let all = Body::new(Full::new(framed(&[])));
            let reply = channel.clone().oneshot(health_request("Watch", all)).await.unwrap();
            if !reply.headers().contains_key("grpc-status") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("a place comes free");
}

async fn services(process: &Process) -> Result<Vec<String>, Status> {
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(process.connect().await);
    let mut answers = client.server_reflection_info(tokio_stream::once(ask)).await?.into_inner();
    match answers.message().await?.unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_lists_what_is_served_and_can_be_switched_off() {
    let names = services(&process(PROMPT).await).await.unwrap();
    assert!(names.contains(&SERVICE.to_owned()) && names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("jumak.")), "what is not served here is not listed: {names:?}");
    let off = process(ServeOptions { reflection: false, ..PROMPT }).await;
    assert_eq!(services(&off).await.unwrap_err().code(), Code::Unimplemented);
}
