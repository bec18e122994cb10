//! What a caller says about a call besides its message.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{IntoRequest, Request};

/// How long a call may take when its caller does not say.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The business case of a call and its deadline. A request extension; a call without one gets a new correlation id and
/// [`DEFAULT_DEADLINE`].
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The business case.
    pub correlation_id: String,
    /// When the caller stops listening.
    pub deadline: Instant,
}

/// Marks a call that may be sent twice and takes effect once, because it carries a request id or a natural key. A request extension;
/// `Get…` and `List…` need none.
#[derive(Clone, Copy, Debug)]
pub struct Idempotent;

/// A request that a generated client takes as it is.
#[derive(Debug)]
pub struct OutgoingRequest<T>(Request<T>);

/// A request for `message`, made for a business case and given up at `deadline`.
pub fn outgoing<T>(message: T, correlation_id: impl Into<String>, deadline: Instant) -> OutgoingRequest<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Outgoing { correlation_id: correlation_id.into(), deadline });
    OutgoingRequest(request)
}

impl<T> OutgoingRequest<T> {
    /// Marks the call as one that may be sent twice.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.0.extensions_mut().insert(Idempotent);
        self
    }
}

impl<T> IntoRequest<T> for OutgoingRequest<T> {
    fn into_request(self) -> Request<T> {
        self.0
    }
}

impl<T> From<OutgoingRequest<T>> for Request<T> {
    fn from(request: OutgoingRequest<T>) -> Self {
        request.0
    }
}
