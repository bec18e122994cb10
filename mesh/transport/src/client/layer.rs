//! A layer as one async function around the rest of the stack.
//!
//! Tower splits a call into `poll_ready` and `call`, so that a busy service can hold its callers back. No caller is held back here: the
//! services that can be busy are below the load shed, which is always ready and refuses instead. So a layer above it is always ready,
//! and clones the service below it for each attempt.

use std::{
    future::Future,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::{Layer, Service};

use super::{
    call::{Call, Reply},
    failure::Failure,
};

/// The result of a call. A status other than OK is a failure, wherever it was made.
pub(super) type Outcome = Result<Reply, Failure>;

/// The rest of the stack, as a layer sees it.
pub(super) trait Rest:
    Service<Call, Response = Reply, Error = Failure, Future: Send> + Clone + Send + 'static
{
}

impl<S> Rest for S where S: Service<Call, Response = Reply, Error = Failure, Future: Send> + Clone + Send + 'static {}

/// What a layer does with a call.
pub(super) trait Around: Clone + Send + Sync + 'static {
    /// Makes the call by handing it to `rest`: once, several times, or not at all.
    fn around(&self, call: Call, rest: impl Rest) -> impl Future<Output = Outcome> + Send;
}

/// Makes a [`Layer`] of an [`Around`].
#[derive(Clone)]
pub(super) struct Wrap<A>(pub A);

impl<A: Clone, S> Layer<S> for Wrap<A> {
    type Service = Wrapped<A, S>;

    fn layer(&self, rest: S) -> Self::Service {
        Wrapped { around: self.0.clone(), rest }
    }
}

/// An [`Around`] with the rest of the stack below it.
#[derive(Clone)]
pub(super) struct Wrapped<A, S> {
    around: A,
    rest: S,
}

impl<A: Around, S: Rest> Service<Call> for Wrapped<A, S> {
    type Response = Reply;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let Self { around, rest } = self.clone();
        Box::pin(async move { around.around(call, rest).await })
    }
}
