//! Correlation, tracing and metrics of a call.

use std::sync::Arc;

use http::{HeaderValue, header::HeaderName};
use mesh_foundation::{
    error::Error,
    telemetry::metrics,
    trace::{TRACEPARENT, calling},
};
use opentelemetry::{KeyValue, trace::FutureExt as _};
use tonic::Code;
use tower::ServiceExt;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    call::Call,
    failure::Failure,
    layer::{Around, Outcome, Rest},
    outgoing::Outgoing,
};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Sends the correlation id and the trace context, opens the call's span around all its attempts, and counts it.
#[derive(Clone)]
pub(super) struct Trace {
    pub callee: Arc<str>,
}

impl Trace {
    fn count(&self, method: &str, outcome: &Outcome) {
        let code = outcome.as_ref().map_or_else(Failure::code, |_| Code::Ok);
        let callee = KeyValue::new("callee", self.callee.clone());
        let method = KeyValue::new("rpc.method", method.to_owned());
        if let Some(cause) = outcome.as_ref().err().and_then(Failure::local_cause) {
            metrics().client_refused_locally.add(1, &[callee.clone(), method.clone(), KeyValue::new("cause", cause)]);
        }
        metrics().client_calls.add(1, &[callee, method, KeyValue::new("rpc.grpc.status_code", i64::from(code as i32))]);
    }
}

impl Around for Trace {
    async fn around(&self, mut call: Call, rest: impl Rest) -> Outcome {
        let correlation_id = match call.request.extensions().get::<Outgoing>() {
            Some(outgoing) => outgoing.correlation_id.clone(),
            None => Uuid::now_v7().to_string(),
        };
        let header = HeaderValue::try_from(&correlation_id).map_err(|_| {
            Failure::unsendable(Error::Internal(
                "the correlation id holds characters that no header can hold".to_owned(),
            ))
        })?;
        call.request.headers_mut().insert(CORRELATION_ID, header);

        let method = call.method().to_owned();
        let trace = calling(&self.callee, &method, &correlation_id);
        if let Some(traceparent) = trace.traceparent().and_then(|text| HeaderValue::try_from(text).ok()) {
            call.request.headers_mut().insert(TRACEPARENT, traceparent);
        }
        let span = tracing::info_span!("call", callee = &*self.callee, method, correlation_id);
        let outcome = rest.oneshot(call).instrument(span.clone()).with_context(trace.context().clone()).await;
        trace.ended(outcome.as_ref().map_or_else(Failure::code, |_| Code::Ok), outcome.is_err());
        if let Err(failure) = &outcome {
            let code = failure.code();
            let refused = failure.local_cause();
            span.in_scope(|| {
                tracing::debug!(error = failure as &dyn std::error::Error, ?code, refused, "the call failed")
            });
        }
        self.count(&method, &outcome);
        outcome
    }
}
