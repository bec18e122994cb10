//! A span under way, and the spans of calls.

use std::borrow::Cow;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt},
};
use tonic::Code;

use super::{TRACER, encode, parse, sampler::Stranger};

/// A span under way. It ends when this is dropped, also while work that it began goes on.
#[derive(Debug)]
pub struct Span {
    context: Context,
    /// Whether the span in the context was made here; otherwise it is another's, passed on.
    ours: bool,
}

impl Span {
    /// A span below that of `parent`. Without a tracer, `parent` itself; the attributes are not made then.
    pub fn start(
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        parent: Context,
        links: Vec<Link>,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let Some(tracer) = TRACER.get() else { return Self { context: parent, ours: false } };
        let span = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_attributes(attributes())
            .with_links(links)
            .start_with_context(tracer, &parent);
        Self { context: parent.with_span(span), ours: true }
    }

    /// What the span's work runs in.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What tells others of the span.
    pub fn traceparent(&self) -> Option<String> {
        encode(self.context.span().span_context())
    }

    /// The trace's id, for the log, if the trace is kept.
    pub fn kept_trace(&self) -> Option<String> {
        let span = self.context.span();
        span.span_context().is_sampled().then(|| span.span_context().trace_id().to_string())
    }

    /// Writes down how a call ended.
    pub fn ended(&self, code: Code, failed: bool) {
        if self.ours {
            let span = self.context.span();
            span.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)));
            if failed {
                // Without the message, which may repeat what was asked for.
                span.set_status(Status::error(""));
            }
        }
    }

    /// Writes down that the work failed.
    pub fn failed(&self) {
        if self.ours {
            self.context.span().set_status(Status::error(""));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // Whoever still runs in the context keeps it, and would keep the span open.
        if self.ours {
            self.context.span().end();
        }
    }
}

/// A call that is made from where this is called.
pub fn calling(callee: &str, method: &str, correlation_id: &str) -> Span {
    Span::start(SpanKind::Client, method.to_owned(), Context::current(), Vec::new(), || {
        let mut attributes = rpc(method, correlation_id);
        attributes.push(KeyValue::new("server.address", callee.to_owned()));
        attributes
    })
}

/// Who makes a call, as far as its trace is concerned.
#[derive(Clone, Copy, Debug)]
pub struct CalledBy<'a> {
    /// The span that it is made from, as the caller says.
    pub traceparent: Option<&'a str>,
    /// Whether the caller is a context of the mesh.
    pub context: bool,
}

/// A call that is answered by `name`, and goes on with the caller's trace.
///
/// Whether the trace is kept is a context's word, as everywhere in a trace; a stranger's word does not count, or anybody could make
/// us record as much as they like. Without a tracer a stranger's trace ends here: nothing of ours would be in it.
pub fn answering(name: &'static str, method: &str, correlation_id: &str, by: CalledBy<'_>) -> Span {
    let parent = match by.traceparent.and_then(parse) {
        Some(span) if by.context => Context::new().with_remote_span_context(span),
        Some(span) if super::is_enabled() => Context::new().with_value(Stranger).with_remote_span_context(span),
        Some(_) | None => Context::new(),
    };
    Span::start(SpanKind::Server, method.to_owned(), parent, Vec::new(), || {
        let mut attributes = rpc(method, correlation_id);
        attributes.push(context(name));
        attributes
    })
}

/// `method` is a full name, as in `jumak.room.v1.RoomService/CreateRoom`.
fn rpc(method: &str, id: &str) -> Vec<KeyValue> {
    let (service, name) = method.rsplit_once('/').unwrap_or(("", method));
    vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.service", service.to_owned()),
        KeyValue::new("rpc.method", name.to_owned()),
        correlation_id(id),
    ]
}

pub(super) fn correlation_id(id: &str) -> KeyValue {
    KeyValue::new("jumak.correlation_id", id.to_owned())
}

pub(super) fn context(name: impl Into<opentelemetry::Value>) -> KeyValue {
    KeyValue::new("jumak.context", name)
}
