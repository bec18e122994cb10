//! A layer as one async function around the rest of the stack.
//!
//! Like the client's layers these never hold a caller back, so tower's `poll_ready` is always ready. No layer tries a call twice, so
//! the rest of the stack is borrowed and not cloned: the whole stack is one future, in one allocation per call.

use std::{future::Future, sync::Arc};

use prost_reflect::MessageDescriptor;
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tower::Layer;

use super::trace::CallSpan;

/// A method of the contracts.
#[derive(Debug)]
pub(super) struct Method {
    /// Its full name, as in `jumak.room.v1.RoomService/CreateRoom`.
    pub name: Arc<str>,
    /// The type of its request.
    pub input: MessageDescriptor,
    /// Whether it answers with a stream.
    pub streams: bool,
}

/// A call on its way to its handler.
pub(super) struct Call {
    /// The method.
    pub method: Arc<Method>,
    /// The id of the business case or, until there is one, of this call.
    pub correlation_id: String,
    /// The caller's deadline.
    pub deadline: Instant,
    /// The call's span, once it is open.
    pub span: CallSpan,
    /// The request as it came.
    pub request: http::Request<Body>,
}

/// What goes back.
pub(super) type Reply = http::Response<Body>;

/// The reply that refuses a call.
pub(super) fn refuse(status: impl Into<Status>) -> Reply {
    status.into().into_http()
}

/// The rest of the stack, as a layer sees it.
pub(super) trait Rest: Send + Sync + 'static {
    /// Answers the call. Dropping the future gives the call up.
    fn answer(&self, call: Call) -> impl Future<Output = Reply> + Send;
}

/// What a layer does with a call.
pub(super) trait Around: Clone + Send + Sync + 'static {
    /// Answers the call, or has `rest` answer it.
    fn around(&self, call: Call, rest: &impl Rest) -> impl Future<Output = Reply> + Send;
}

/// Makes a [`Layer`] of an [`Around`].
pub(super) struct Wrap<A>(pub A);

impl<A: Clone, R> Layer<R> for Wrap<A> {
    type Service = Wrapped<A, R>;

    fn layer(&self, rest: R) -> Self::Service {
        Wrapped { around: self.0.clone(), rest }
    }
}

/// An [`Around`] with the rest of the stack below it.
pub(super) struct Wrapped<A, R> {
    around: A,
    rest: R,
}

impl<A: Around, R: Rest> Rest for Wrapped<A, R> {
    fn answer(&self, call: Call) -> impl Future<Output = Reply> + Send {
        self.around.around(call, &self.rest)
    }
}
