//! The stack as its callers see it, around a service of four methods whose handler does what it is told.

mod cards;
mod layers;
mod limits;
mod listener;
mod tls;
mod trace;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use mesh_foundation::{
    call::{Caller, Role},
    error::Refusal,
};
use mesh_transport::auth::{
    access::Rule,
    keys::SigningKey,
    token::{Issuer, ServiceTokens},
    verify::{Trust, TrustedIssuer, Verifier},
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Value,
    prost::Message,
    prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
        ServiceDescriptorProto,
        field_descriptor_proto::{Label, Type},
    },
};
use tokio::sync::Semaphore;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::{ServiceExt, service_fn};

use super::{ContextService, Parts};
use crate::limits::LimitsConfig;

const SERVICE: &str = "test.v1.TestService";
const RULES: &[Rule] = &[
    Rule::anyone("test.v1.TestService/Do"),
    Rule::roles("test.v1.TestService/DoAsHost", &[Role::Host]),
    Rule::anyone("test.v1.TestService/Watch"),
];

/// What the handler is told by the request's `text`, beside plain texts, which it echoes.
const PANIC: &str = "panic";
const HANG: &str = "hang";
const SAY_WHO: &str = "say who";
const PANIC_LATER: &str = "panic later";
const SAY_TRACE: &str = "say trace";
/// What it says to that if there is none.
const NO_TRACE: &str = "none";

/// The service's contract: `Do`, `DoAsHost` and `Unlisted` answer once, `Watch` streams.
fn contract() -> DescriptorPool {
    let field = FieldDescriptorProto {
        name: Some("text".to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..FieldDescriptorProto::default()
    };
    let method = |name: &str| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".test.v1.Text".to_owned()),
        output_type: Some(".test.v1.Text".to_owned()),
        server_streaming: Some(name == "Watch"),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("test.proto".to_owned()),
        package: Some("test.v1".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Text".to_owned()),
            field: vec![field],
            ..DescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("TestService".to_owned()),
            method: ["Do", "DoAsHost", "Unlisted", "Watch"].map(method).to_vec(),
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    DescriptorPool::from_file_descriptor_set(FileDescriptorSet { file: vec![file] }).unwrap()
}

/// A context of the test service, with everybody's keys.
struct Bench {
    service: ContextService,
    issuer: Issuer,
    reservation: ServiceTokens,
    /// Each permit lets one handler that hangs go on.
    go_on: Arc<Semaphore>,
    /// The headers that the last handler saw.
    seen: Arc<Mutex<HeaderMap>>,
}

fn bench() -> Bench {
    bench_with(LimitsConfig::default())
}

fn bench_with(limits: LimitsConfig) -> Bench {
    let (issuer, reservation) = (SigningKey::generate(), SigningKey::generate());
    let (go_on, seen) = (Arc::new(Semaphore::new(0)), Arc::default());
    let handler = service_fn({
        let (go_on, seen) = (Arc::clone(&go_on), Arc::clone(&seen));
        move |request| handle(request, Arc::clone(&go_on), Arc::clone(&seen))
    });
    let routes = axum::Router::new().route_service("/{*path}", handler);
    let parts =
        Parts { name: "test", services: &[SERVICE], routes: Routes::from(routes), access: RULES, owners: [].into() };
    let service = ContextService::of(parts, &contract(), verifier(&issuer, &reservation), &limits).unwrap();
    Bench {
        service,
        issuer: Issuer::new("jumak", "jumak", issuer),
        reservation: ServiceTokens::new("reservation", reservation),
        go_on,
        seen,
    }
}

fn verifier(issuer: &SigningKey, reservation: &SigningKey) -> Verifier {
    Verifier::new(Trust {
        context: "test".to_owned(),
        issuers: vec![TrustedIssuer {
            name: "jumak".to_owned(),
            audience: "jumak".to_owned(),
            keys: vec![issuer.public().clone()],
        }],
        contexts: BTreeMap::from([("reservation".to_owned(), vec![reservation.public().clone()])]),
        hint: String::new(),
    })
}

async fn handle(
    request: Request<axum::body::Body>,
    go_on: Arc<Semaphore>,
    seen: Arc<Mutex<HeaderMap>>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    *seen.lock().unwrap() = head.headers.clone();
    let streams = head.uri.path().ends_with("Watch");
    let body = body.collect().await.unwrap().to_bytes();
    // As tonic does when prost cannot decode.
    let Ok(text) = DynamicMessage::decode(contract().get_message_by_name("test.v1.Text").unwrap(), &body[5..]) else {
        return Ok(Status::internal("failed to decode Protobuf message").into_http());
    };
    let text = text.get_field_by_name("text").unwrap().as_str().unwrap().to_owned();
    let said = match text.as_str() {
        PANIC => panic!("told to"),
        HANG => {
            go_on.acquire().await.unwrap().forget();
            text
        }
        SAY_WHO => {
            let caller = head.extensions.get::<Caller>().unwrap();
            format!("{} {} {}", caller.principal.name(), caller.correlation_id, caller.remaining().as_secs_f64())
        }
        SAY_TRACE => mesh_foundation::trace::traceparent().unwrap_or_else(|| NO_TRACE.to_owned()),
        _ => text,
    };
    let ok = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(0))]);
    let first = http_body::Frame::data(framed(&message(&said)));
    let body = if streams {
        // One message, and then nothing until its reader goes away.
        let later =
            futures::stream::poll_fn(
                move |_| {
                    if said == PANIC_LATER { panic!("told to") } else { std::task::Poll::Pending }
                },
            );
        Body::new(StreamBody::new(futures::StreamExt::chain(futures::stream::iter([Ok::<_, Status>(first)]), later)))
    } else {
        Body::new(StreamBody::new(futures::stream::iter([Ok::<_, Status>(first), Ok(http_body::Frame::trailers(ok))])))
    };
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}

fn message(text: &str) -> Vec<u8> {
    let mut message = DynamicMessage::new(contract().get_message_by_name("test.v1.Text").unwrap());
    message.set_field_by_name("text", Value::String(text.to_owned()));
    message.encode_to_vec()
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: Status,
    headers: HeaderMap,
    messages: Vec<u8>,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let in_head = Status::from_header_map(&head.headers);
        let collected =
            tokio::time::timeout(Duration::from_secs(10), body.collect()).await.expect("the reply ends").unwrap();
        let in_trailers = collected.trailers().and_then(Status::from_header_map);
        let status = in_head.or(in_trailers).unwrap();
        Self { status, headers: head.headers, messages: collected.to_bytes().to_vec() }
    }

    fn text(&self) -> String {
        assert_eq!(self.status.code(), Code::Ok, "{:?}", self.status);
        let text = DynamicMessage::decode(contract().get_message_by_name("test.v1.Text").unwrap(), &self.messages[5..]);
        text.unwrap().get_field_by_name("text").unwrap().as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn refusal(&self) -> Refusal {
        Refusal::from_status(&self.status).unwrap_or_else(|| panic!("no refusal of ours: {:?}", self.status))
    }
}

impl Bench {
    fn user(&self, roles: &[Role]) -> String {
        self.issuer.mint_user("alice", roles, Duration::from_secs(60)).unwrap()
    }

    /// A request as a guest makes it.
    fn request(&self, method: &str, text: &str) -> Request<Body> {
        request(method, &self.user(&[Role::Guest]), framed(&message(text)))
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.service.clone().oneshot(request).await.unwrap()).await
    }

    async fn call(&self, method: &str, text: &str) -> Answer {
        self.send(self.request(method, text)).await
    }

    /// Starts a call that hangs, and waits until its handler does.
    async fn hang(&self) -> tokio::task::JoinHandle<Answer> {
        let (service, request) = (self.service.clone(), self.request("Do", HANG));
        self.seen.lock().unwrap().clear();
        let call = tokio::spawn(async move { Answer::read(service.oneshot(request).await.unwrap()).await });
        while self.seen.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        call
    }
}

fn request(method: &str, token: &str, body: Bytes) -> Request<Body> {
    Request::post(format!("http://test/{SERVICE}/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::new(Full::new(body)))
        .unwrap()
}
