//! The end of the stack: connections to the callee, or the callee itself.
//!
//! Both behave alike. What a socket would drop is dropped in process too (request extensions), and what a socket would turn into a
//! broken connection (a panicking callee) becomes one.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{
    Extensions, HeaderValue,
    header::{HeaderName, USER_AGENT},
};
use http_body_util::Full;
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use super::{
    call::{Call, Reply},
    failure::Failure,
    in_process::InProcess,
    layer::Outcome,
    pool::Pool,
};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Who calls, for the logs of proxies on the way.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("jumak/", env!("CARGO_PKG_VERSION")));

/// Makes the call, one attempt of it.
#[derive(Clone)]
pub(super) struct Leaf {
    callee: Arc<str>,
    timeout: Duration,
    to: To,
}

#[derive(Clone)]
enum To {
    Network(Arc<Pool>),
    InProcess(InProcess),
}

impl Leaf {
    /// A leaf that makes its calls on the connections of `pool`.
    pub fn network(callee: Arc<str>, timeout: Duration, pool: Arc<Pool>) -> Self {
        Self { callee, timeout, to: To::Network(pool) }
    }

    /// A leaf that finds its callee in `registry`.
    pub fn in_process(callee: Arc<str>, timeout: Duration, registry: InProcess) -> Self {
        Self { callee, timeout, to: To::InProcess(registry) }
    }

    async fn make(self, call: Call) -> Outcome {
        let request = forward(call, self.timeout);
        match &self.to {
            To::Network(pool) => pool.make(request).await,
            To::InProcess(registry) => {
                let service = registry.find(&self.callee).ok_or_else(|| Failure::absent(&self.callee))?;
                match AssertUnwindSafe(service.oneshot(request.map(Body::new))).catch_unwind().await {
                    Ok(Ok(response)) => Reply::read(&self.callee, response).await,
                    Ok(Err(never)) => match never {},
                    Err(_) => Err(Failure::broken(&self.callee, "the callee panicked".into())),
                }
            }
        }
    }
}

/// The request as this attempt sends it: with the time that is left for it, and without what concerns only ourselves.
fn forward(call: Call, timeout: Duration) -> http::Request<Full<Bytes>> {
    let left = call.deadline.saturating_duration_since(Instant::now()).min(timeout);
    let mut request = call.request.map(Full::new);
    *request.extensions_mut() = Extensions::new();
    request.headers_mut().insert(GRPC_TIMEOUT, grpc_timeout(left));
    request.headers_mut().insert(USER_AGENT, AGENT);
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
