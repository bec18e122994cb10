//! The call's span.

use std::sync::{Arc, OnceLock};

use mesh_foundation::{
    call::{Caller, Principal},
    card_number,
    trace::{CalledBy, Span, TRACEPARENT, answering},
};
use opentelemetry::trace::FutureExt;
use tonic::Code;

use super::layer::{Around, Call, Reply, Rest};

/// Opens a span in which the call is handled, and which goes on with the caller's trace.
#[derive(Clone)]
pub(super) struct Trace {
    pub context: &'static str,
}

impl Around for Trace {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let span = answering(self.context, &call.method.name, &call.correlation_id, called_by(&call));
        let handled_in = span.context().clone();
        if let Some(trace_id) = span.kept_trace() {
            tracing::Span::current().record("trace_id", trace_id);
        }
        call.span.opened(span);
        rest.answer(call).with_context(handled_in).await
    }
}

fn called_by(call: &Call) -> CalledBy<'_> {
    let caller = call.request.extensions().get::<Caller>();
    let context = caller.is_some_and(|caller| matches!(caller.principal, Principal::Context { .. }));
    let sent = call.request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    // Stored for ever with the call's effects: it must never hold a card number.
    let traceparent = sent.filter(|text| context || !card_number::is_in(text));
    CalledBy { traceparent, context }
}

/// Holds a call's span from when it is opened until the call is over. The entry layer, which sees how every call ends, is above the
/// layer that opens the span.
#[derive(Clone, Default)]
pub(super) struct CallSpan(Arc<OnceLock<Span>>);

impl CallSpan {
    fn opened(&self, span: Span) {
        // A call passes the layer once.
        drop(self.0.set(span));
    }

    /// Records how the call ended. The span ends when the last of these is dropped.
    pub(super) fn ended(&self, code: Code) {
        if let Some(span) = self.0.get() {
            span.ended(code, is_servers_fault(code));
        }
    }
}

/// Whether the code counts as a failure of the server, by OpenTelemetry's conventions: a refusal is not one.
fn is_servers_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
