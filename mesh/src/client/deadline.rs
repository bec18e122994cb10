//! The caller's deadline, around all attempts and the waits between them.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use super::{
    call::Call,
    failure::Failure,
    layer::{Around, Outcome, Rest},
};

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
