//! One trace through calls and events: W3C Trace Context on the wire, spans after OpenTelemetry's semantic conventions.
//!
//! A trace tells where the time of one call went; the correlation id tells what became of one case. So a span has the correlation
//! id, and nothing else that comes from a request: no name of a person, no token, no text, no `tracestate`.
//!
//! Spans are made with OpenTelemetry's own API and not derived from log spans: what leaves the process is then written down here,
//! and a log line that somebody adds is never exported by accident. The current span is OpenTelemetry's current context, which
//! follows a future wherever it is polled and has to be handed on where a task is spawned.
//!
//! Without an exporter there is no tracer: no span is made, and the context that another context of the mesh sent is passed on.

mod messaging;
mod sampler;
mod span;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::RangeInclusive, sync::OnceLock};

use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::{FutureExt, SpanContext, SpanKind, TraceContextExt},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracer};

pub use self::{
    messaging::{processing, sending},
    sampler::Sampling,
    span::{CalledBy, Span, answering, calling},
};

/// The header that carries a trace context.
pub const TRACEPARENT: http::HeaderName = http::HeaderName::from_static(NAME);
const NAME: &str = "traceparent";
/// In characters. Version 00 has the least of them; later versions may add to it, and nobody needs so much.
const TRACEPARENT_LENGTHS: RangeInclusive<usize> = 55..=128;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// From now on spans are made by `tracer`. Once per process; tells whether it was the first time.
pub fn enable(tracer: SdkTracer) -> bool {
    TRACER.set(tracer).is_ok()
}

/// Whether spans are made.
pub fn is_enabled() -> bool {
    TRACER.get().is_some()
}

/// The `traceparent` of the span that the calling code runs in; none if it runs in none.
pub fn traceparent() -> Option<String> {
    Context::map_current(|context| encode(context.span().span_context()))
}

/// Does `work` for a case in a span of its own, the first of a trace: nobody called for what a loop does by itself. `name` is one of
/// a few words.
pub async fn alone<T>(
    context: &'static str,
    name: impl Into<Cow<'static, str>>,
    correlation_id: &str,
    work: impl Future<Output = T>,
) -> T {
    let span = Span::start(SpanKind::Internal, name, Context::new(), Vec::new(), || {
        vec![span::context(context), span::correlation_id(correlation_id)]
    });
    work.with_context(span.context().clone()).await
}

/// A span context as `traceparent` has it.
fn encode(span: &SpanContext) -> Option<String> {
    let flags = u8::from(span.is_sampled());
    span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
}

/// A `traceparent` that somebody sent; none if it is none.
fn parse(traceparent: &str) -> Option<SpanContext> {
    if !TRACEPARENT_LENGTHS.contains(&traceparent.len()) {
        return None;
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Only(traceparent));
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// Headers of which there is nothing but the `traceparent`. `tracestate` holds whatever others like, and would be passed on.
struct Only<'a>(&'a str);

impl Extractor for Only<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == NAME).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![NAME]
    }
}
