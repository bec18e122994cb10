//! How much a context takes on at once.

use std::{sync::Arc, time::Duration};

use opentelemetry::KeyValue;
use tokio::sync::Semaphore;

use super::{
    body::hold,
    layer::{Around, Call, Reply, Rest, refuse},
};
use crate::{
    config::LimitsConfig,
    error::{Reason, Refusal},
    telemetry::metrics,
};

/// When a caller that was turned away may try again. Most calls take milliseconds, so a second is many of them.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Turns calls away when a context has as many in hand as it takes. Waiting for a permit would only use up the caller's deadline,
/// and a queue that grows is an outage that is not noticed yet.
#[derive(Clone)]
pub(super) struct InFlight {
    context: &'static str,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl InFlight {
    /// The limits of `context`, shared by all connections and by callers in the same process.
    pub fn new(context: &'static str, limits: &LimitsConfig) -> Self {
        Self {
            context,
            calls: Arc::new(Semaphore::new(limits.in_flight)),
            streams: Arc::new(Semaphore::new(limits.open_streams)),
        }
    }

    fn shed(&self, what: &str) -> Reply {
        metrics().shed.add(1, &[KeyValue::new("context", self.context)]);
        // Names the context, so that a caller of a caller does not take it for the one that it called.
        let message = format!("{} has as many {what} as it takes", self.context);
        let refusal = Refusal::new(Reason::Overloaded, message).with("context", self.context);
        refuse(refusal.hint("try again shortly").retry_after(RETRY_AFTER))
    }
}

impl Around for InFlight {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let streams = call.method.streams;
        let (permits, what) = if streams { (&self.streams, "open streams") } else { (&self.calls, "calls in flight") };
        let Ok(permit) = permits.clone().try_acquire_owned() else { return self.shed(what) };
        let counted = Counted::new(self.context);
        let reply = rest.answer(call).await;
        if streams { hold(reply, (permit, counted)) } else { reply }
    }
}

/// Counts a call while it lasts, however it ends.
struct Counted(&'static str);

impl Counted {
    fn new(context: &'static str) -> Self {
        metrics().calls_in_flight.add(1, &[KeyValue::new("context", context)]);
        Self(context)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics().calls_in_flight.add(-1, &[KeyValue::new("context", self.0)]);
    }
}
