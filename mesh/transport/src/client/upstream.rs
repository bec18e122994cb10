//! Another context, as a service that the generated clients take.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use mesh_foundation::{error::Refusal, in_transaction::assert_no_transaction};
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use super::{
    breaker::BreakerState,
    call::{Call, Reply},
    circuit::Circuit,
    failure::{self, Failure},
};

/// Another context. Cheap to clone; all clones share one circuit, one limit and one budget.
#[derive(Clone)]
pub struct Upstream {
    callee: Arc<str>,
    /// Names the call in the panic when it is made inside a transaction.
    what: Arc<str>,
    circuit: Circuit,
    stack: BoxCloneSyncService<Call, Reply, Failure>,
}

impl Upstream {
    pub(super) fn new(callee: Arc<str>, circuit: Circuit, stack: BoxCloneSyncService<Call, Reply, Failure>) -> Self {
        let what = format!("a call to {callee}").into();
        Self { callee, what, circuit, stack }
    }

    /// The context's name, as in `payment`.
    pub fn name(&self) -> &str {
        &self.callee
    }

    /// The refusal that a call made now would get without being sent, if any. Checked before a hold is taken, so that an open circuit
    /// does not block a unit; does not use up the circuit's probe.
    pub fn refuses_now(&self) -> Option<Refusal> {
        self.circuit.refuses_now().map(|retry_after| failure::circuit_open(&self.callee, retry_after))
    }

    /// The state of the circuit.
    pub fn breaker_state(&self) -> BreakerState {
        self.circuit.state()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("callee", &self.callee)
            .field("breaker", &self.breaker_state())
            .finish_non_exhaustive()
    }
}

impl Service<http::Request<Body>> for Upstream {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    /// # Panics
    ///
    /// Inside a transaction, which would hold its locks for as long as the callee likes.
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_no_transaction(&self.what);
        let stack = self.stack.clone();
        Box::pin(async move {
            let outcome = match Call::read(request).await {
                Ok(call) => stack.oneshot(call).await,
                Err(failure) => Err(failure),
            };
            outcome.map(Reply::into_response).map_err(Failure::into_status)
        })
    }
}
