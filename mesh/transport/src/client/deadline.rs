//! The caller's deadline, around all attempts and the waits between them.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header::HeaderName};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use super::{
    call::Call,
    failure::Failure,
    layer::{Around, Outcome, Rest},
};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Tells the callee how much time is left until `until`. To be called when the request leaves, and not before.
pub(super) fn tell_what_is_left(headers: &mut HeaderMap, until: Instant) {
    headers.insert(GRPC_TIMEOUT, grpc_timeout(until.saturating_duration_since(Instant::now())));
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

/// Ends a call when its caller stops listening.
#[derive(Clone)]
pub(super) struct Deadline {
    pub callee: Arc<str>,
}

impl Around for Deadline {
    async fn around(&self, call: Call, rest: impl Rest) -> Outcome {
        let deadline = call.deadline;
        if deadline <= Instant::now() {
            return Err(Failure::too_late(&self.callee));
        }
        match timeout_at(deadline, rest.oneshot(call)).await {
            Ok(outcome) => outcome,
            // An attempt was under way: a retry does not wait past the deadline.
            Err(_) => Err(Failure::given_up(&self.callee)),
        }
    }
}
