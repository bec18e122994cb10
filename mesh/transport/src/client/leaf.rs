//! The end of the stack: connections to the callee, or the callee itself.
//!
//! Both behave alike. In process too, request extensions are dropped, and a panic of the callee becomes a broken connection.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{Extensions, HeaderValue, header::USER_AGENT};
use http_body_util::Full;
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use super::{
    call::{Call, Reply},
    deadline::tell_what_is_left,
    failure::Failure,
    in_process::InProcess,
    layer::Outcome,
    pool::Pool,
};

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
    pub(super) fn network(callee: Arc<str>, timeout: Duration, pool: Arc<Pool>) -> Self {
        Self { callee, timeout, to: To::Network(pool) }
    }

    /// A leaf that finds its callee in `registry`.
    pub(super) fn in_process(callee: Arc<str>, timeout: Duration, registry: InProcess) -> Self {
        Self { callee, timeout, to: To::InProcess(registry) }
    }

    async fn make(self, call: Call) -> Outcome {
        let until = call.deadline.min(Instant::now() + self.timeout);
        let mut request = forward(call);
        match &self.to {
            To::Network(pool) => pool.make(request, until).await,
            To::InProcess(registry) => {
                tell_what_is_left(request.headers_mut(), until);
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

/// The request as this attempt sends it, without our own extensions. The remaining time is added when it leaves.
fn forward(call: Call) -> http::Request<Full<Bytes>> {
    let mut request = call.request.map(Full::new);
    *request.extensions_mut() = Extensions::new();
    request.headers_mut().insert(USER_AGENT, AGENT);
    request
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
