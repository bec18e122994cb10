//! Refuses new calls while a context stops.

use std::time::Duration;

use mesh_foundation::error::{Reason, Refusal};
use tokio_util::sync::CancellationToken;

use super::{
    body::cut,
    layer::{Around, Call, Reply, Rest, refuse},
};

/// A load balancer needs about this long to notice that the process is not serving any more.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Once the context is stopping: refuses new calls, ends open streams (which would outlast any drain), and lets calls in flight
/// finish.
#[derive(Clone)]
pub(super) struct Drain {
    pub context: &'static str,
    pub stopping: CancellationToken,
}

impl Around for Drain {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        if self.stopping.is_cancelled() {
            return refuse(draining(self.context));
        }
        let streams = call.method.streams;
        let reply = rest.answer(call).await;
        if streams { end_when_cancelled(reply, self.context, self.stopping.clone()) } else { reply }
    }
}

/// Ends the reply's stream when `stopping` is cancelled, so that its reader resumes it on another replica.
pub(super) fn end_when_cancelled(reply: Reply, name: &'static str, stopping: CancellationToken) -> Reply {
    cut(reply, async move {
        stopping.cancelled().await;
        draining(name).into()
    })
}

/// Names the context that is stopping, because the refusal may be passed on to the caller's caller.
fn draining(name: &'static str) -> Refusal {
    Refusal::new(Reason::DRAINING, format!("{name} is stopping"))
        .with("context", name)
        .hint("call again: another replica answers")
        .retry_after(RETRY_AFTER)
}
