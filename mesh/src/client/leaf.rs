//! The end of the stack: a connection to the callee, or the callee itself.
//!
//! Both behave alike. What a socket would drop is dropped in process too (request extensions), and what a socket would turn into a
//! broken connection (a panicking callee) becomes one.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use http::{Extensions, HeaderValue, header::HeaderName, uri::Scheme};
use http_body_util::Full;
use tokio::time::Instant;
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{Service, ServiceExt};

use super::{
    call::{Call, Reply},
    failure::Failure,
    in_process::InProcess,
    layer::Outcome,
};
use crate::error::Error;

/// A dead peer is noticed after the two together, also while no call is in flight: a call sent into a dead connection would end
/// with nobody knowing whether it took effect.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Reads the address of `callee`. TLS between contexts is the mesh's work, so `https` is refused here rather than spoken in clear.
pub(super) fn endpoint(callee: &str, uri: &str) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned())
        .map_err(|error| Error::Internal(format!("the address `{uri}` of {callee} cannot be read: {error}")))?;
    if endpoint.uri().scheme() != Some(&Scheme::HTTP) {
        return Err(Error::Internal(format!("the address `{uri}` of {callee} has to begin with http://")));
    }
    Ok(endpoint)
}

/// Makes the call, one attempt of it.
#[derive(Clone)]
pub(super) struct Leaf {
    callee: Arc<str>,
    timeout: Duration,
    to: To,
}

#[derive(Clone)]
enum To {
    Network(Arc<Connection>),
    InProcess(InProcess),
}

struct Connection {
    endpoint: Endpoint,
    /// Made by the first call, because making it takes a runtime.
    channel: OnceLock<Channel>,
}

impl Leaf {
    /// A leaf that connects to `endpoint`. One connection: behind a service mesh it leads to a proxy that balances by call.
    pub fn network(callee: Arc<str>, timeout: Duration, connect_timeout: Duration, endpoint: Endpoint) -> Self {
        let endpoint = endpoint
            .connect_timeout(connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        Self { callee, timeout, to: To::Network(Arc::new(Connection { endpoint, channel: OnceLock::new() })) }
    }

    /// A leaf that finds its callee in `registry`.
    pub fn in_process(callee: Arc<str>, timeout: Duration, registry: InProcess) -> Self {
        Self { callee, timeout, to: To::InProcess(registry) }
    }

    async fn make(self, call: Call) -> Outcome {
        let request = forward(call, self.timeout);
        let response = match &self.to {
            To::Network(connection) => {
                let channel = connection.channel.get_or_init(|| connection.endpoint.connect_lazy()).clone();
                channel.oneshot(request).await.map_err(|error| Failure::transport(&self.callee, error.into()))?
            }
            To::InProcess(registry) => {
                let service = registry.find(&self.callee).ok_or_else(|| Failure::absent(&self.callee))?;
                match AssertUnwindSafe(service.oneshot(request)).catch_unwind().await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(_) => return Err(Failure::broken(&self.callee, "the callee panicked".into())),
                }
            }
        };
        Reply::read(&self.callee, response).await
    }
}

/// The request as this attempt sends it: with the time that is left for it, and without what concerns only ourselves.
fn forward(call: Call, timeout: Duration) -> http::Request<Body> {
    let left = call.deadline.saturating_duration_since(Instant::now()).min(timeout);
    let mut request = call.request.map(|message| Body::new(Full::new(message)));
    *request.extensions_mut() = Extensions::new();
    request.headers_mut().insert(GRPC_TIMEOUT, grpc_timeout(left));
    request
}

/// A duration as gRPC writes it: at most eight digits, and a unit.
fn grpc_timeout(left: Duration) -> HeaderValue {
    const MAX: u128 = 99_999_999;
    let text = match left.as_micros() {
        micros @ 0..=MAX => format!("{micros}u"),
        _ => format!("{}m", left.as_millis().min(MAX)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0u"))
}

impl Service<Call> for Leaf {
    type Response = Reply;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(self.clone().make(call))
    }
}
