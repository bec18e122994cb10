//! Sentences about the stack as a whole, told with a callee that does as it is told.

mod circuit;
mod leaves;
mod outages;
mod replicas;
mod requests;
mod sending;
mod transport;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use mesh_foundation::error::{Reason, Refusal};
use tokio::{
    sync::{Mutex, Semaphore, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, service::Routes};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use super::*;

/// What the callee does with one call.
#[derive(Clone)]
pub(super) enum Does {
    Answer,
    Refuse(Refusal),
    Fail(Status),
    /// Answers when let go.
    Hold,
    Hang,
    Panic,
}

impl Does {
    fn refuse(reason: Reason) -> Self {
        Self::Refuse(Refusal::new(reason, "no"))
    }

    /// Payment says of itself that it cannot serve: it cannot reach the provider.
    fn say_that_it_cannot_serve() -> Self {
        let provider_away = Reason::new("PROVIDER_AWAY", Code::ResourceExhausted);
        Self::Refuse(Refusal::new(provider_away, "no").with("context", "payment"))
    }
}

/// A reason of a context, which the mesh does not define.
const DECLINED: Reason = Reason::new("DECLINED", Code::FailedPrecondition);

/// All reasons of the mesh, and a reason of a context's own for each code.
fn reasons() -> impl Iterator<Item = Reason> {
    let of_a_context = (1..=16).map(|code| Reason::new("OF_A_CONTEXT", Code::from_i32(code)));
    Reason::OF_THE_MESH.iter().cloned().chain(of_a_context)
}

/// A context that follows a script, and remembers what it was sent.
#[derive(Clone)]
pub(super) struct Callee(Arc<Script>);

struct Script {
    first: Mutex<VecDeque<Does>>,
    then: Does,
    held: Semaphore,
    seen: watch::Sender<Vec<MetadataMap>>,
}

impl Callee {
    fn that(then: Does) -> Self {
        Self::that_first([], then)
    }

    fn that_first(first: impl IntoIterator<Item = Does>, then: Does) -> Self {
        Self(Arc::new(Script {
            first: Mutex::new(first.into_iter().collect()),
            then,
            held: Semaphore::new(0),
            seen: watch::Sender::new(Vec::new()),
        }))
    }

    fn seen(&self) -> Vec<MetadataMap> {
        self.0.seen.borrow().clone()
    }

    fn calls(&self) -> usize {
        self.0.seen.borrow().len()
    }

    async fn has_seen(&self, calls: usize) {
        self.0.seen.subscribe().wait_for(|seen| seen.len() >= calls).await.expect("the sender lives in self");
    }

    fn let_go(&self, calls: usize) {
        self.0.held.add_permits(calls);
    }

    fn service(&self) -> ContextService {
        ContextService::new(Routes::new(HealthServer::new(self.clone())).prepare())
    }

    /// As `payment`, in the process of its caller.
    fn in_process(&self, limits: Limits) -> Upstream {
        let registry = InProcess::new();
        registry.register("payment", self.service());
        upstream(registry, limits)
    }

    /// As `payment`, behind a socket.
    async fn over_a_socket(&self, limits: Limits) -> Upstream {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tonic::transport::Server::builder().add_service(HealthServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        upstream_at(address, limits)
    }
}

#[tonic::async_trait]
impl Health for Callee {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let does = self.0.first.lock().await.pop_front().unwrap_or_else(|| self.0.then.clone());
        self.0.seen.send_modify(|seen| seen.push(request.metadata().clone()));
        match does {
            Does::Answer => {}
            Does::Refuse(refusal) => return Err(refusal.into()),
            Does::Fail(status) => return Err(status),
            Does::Hold => self.0.held.acquire().await.expect("never closed").forget(),
            Does::Hang => std::future::pending().await,
            Does::Panic => panic!("as the script says"),
        }
        let mut response = Response::new(HealthCheckResponse { status: 1 });
        response.metadata_mut().insert("x-version", "7".parse().expect("ascii"));
        Ok(response)
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("no sentence needs it"))
    }
}

/// Tokens that name their callee.
struct Named;

impl TokenSource for Named {
    fn token(&self, callee: &str) -> Result<String, Error> {
        Ok(format!("for-{callee}"))
    }
}

/// One attempt, no breaker, no shedding: a sentence switches on what it is about.
fn limits() -> Limits {
    Limits {
        attempts: 1,
        breaker_failures: u32::MAX,
        breaker_backoff: Duration::from_millis(50),
        breaker_max_backoff: Duration::from_millis(50),
        ..Limits::default()
    }
}

fn upstream(registry: InProcess, limits: Limits) -> Upstream {
    Upstreams::in_process("reservation", registry, Arc::new(Named), limits).get("payment").expect("a registry")
}

fn upstream_at(address: SocketAddr, limits: Limits) -> Upstream {
    upstream_of([address], limits)
}

fn upstream_of(replicas: impl IntoIterator<Item = SocketAddr>, limits: Limits) -> Upstream {
    let builder = Upstreams::builder("reservation", Arc::new(Named), limits);
    let found = replicas
        .into_iter()
        .try_fold(builder, |builder, replica| builder.address("payment", &format!("http://{replica}")));
    found.expect("good addresses").build().get("payment").expect("an address")
}

fn request() -> OutgoingRequest<HealthCheckRequest> {
    within(Duration::from_secs(10))
}

fn within(time: Duration) -> OutgoingRequest<HealthCheckRequest> {
    outgoing(HealthCheckRequest::default(), "reservations/1", Instant::now() + time)
}

async fn call(upstream: &Upstream) -> Result<Response<HealthCheckResponse>, Status> {
    make(upstream, request()).await
}

async fn make(
    upstream: &Upstream,
    request: OutgoingRequest<HealthCheckRequest>,
) -> Result<Response<HealthCheckResponse>, Status> {
    HealthClient::new(upstream.clone()).check(request).await
}

/// A call that goes on by itself.
fn spawn_call(upstream: &Upstream) -> JoinHandle<Result<Response<HealthCheckResponse>, Status>> {
    let upstream = upstream.clone();
    tokio::spawn(async move { call(&upstream).await })
}

/// Waits until the circuit would let a probe through.
async fn rest_is_over(upstream: &Upstream) {
    while let Some(refusal) = upstream.refuses_now() {
        tokio::time::sleep(refusal.retry_after.expect("an open circuit says how long")).await;
    }
}

fn reason(status: &Status) -> Option<Reason> {
    Refusal::from_status(status).map(|refusal| refusal.reason)
}
