//! Which business case a call belongs to, and what became of it.

use std::sync::Arc;

use http::{HeaderValue, header::HeaderName};
use opentelemetry::KeyValue;
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
use crate::{error::Error, telemetry::metrics};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Sends the correlation id (a `traceparent` that came with the call goes along as it is), opens the call's span, and counts it.
#[derive(Clone)]
pub(super) struct Trace {
    pub callee: Arc<str>,
}

impl Trace {
    fn count(&self, method: &str, outcome: &Outcome) {
        let code = outcome.as_ref().map_or_else(Failure::code, |_| Code::Ok);
        let callee = KeyValue::new("callee", self.callee.clone());
        let method = KeyValue::new("rpc.method", method.to_owned());
        if outcome.as_ref().is_err_and(Failure::refused_locally) {
            metrics().client_refused_locally.add(1, &[callee.clone(), method.clone()]);
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
            Failure::unsendable(Error::Internal("the correlation id holds what no header can".to_owned()))
        })?;
        call.request.headers_mut().insert(CORRELATION_ID, header);

        let method = call.method().to_owned();
        let span = tracing::info_span!("call", callee = &*self.callee, method, correlation_id);
        let outcome = rest.oneshot(call).instrument(span.clone()).await;
        if let Err(failure) = &outcome {
            let code = failure.code();
            span.in_scope(|| tracing::debug!(error = failure as &dyn std::error::Error, ?code, "the call failed"));
        }
        self.count(&method, &outcome);
        outcome
    }
}
