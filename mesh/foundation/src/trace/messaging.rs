//! The spans of an event on its way. What an event carries is the context in which it was made, and stays so however often it is
//! published.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanContext, SpanKind, TraceContextExt},
};

use super::{
    parse,
    span::{self, Span},
};
use crate::event::Event;

/// For how long an event continues the trace that it was made in. What is heard later (after an outage, in a replay, by a read model
/// made anew) is another matter: it begins a trace of its own with a link to the old one, or rebuilding a read model would write
/// into the traces of a year.
const CONTINUES: Duration = Duration::from_secs(15 * 60);

/// The events are being published: a span for each, in the trace in which it was made. Events that are published again after a long
/// time get none.
pub fn sending(events: &[Event], system: &'static str, now: Timestamp) -> Vec<Span> {
    if !super::is_enabled() {
        return Vec::new();
    }
    let recent =
        events.iter().filter_map(|event| Some((event, made_in(event)?))).filter(|(event, _)| continues(event, now));
    let span = |(event, made_in): (&Event, SpanContext)| {
        let parent = Context::new().with_remote_span_context(made_in);
        Span::start(SpanKind::Producer, format!("send {}", event.route), parent, Vec::new(), || {
            let mut attributes = message(event, system, "send");
            attributes.push(span::context(event.source.clone()));
            attributes
        })
    };
    recent.map(span).collect()
}

/// `event` is being handled by `consumer` of `context`: in the trace in which the event was made, as a child and with a link. A batch
/// is handled in one transaction and event by event, so each has a span of its own.
pub fn processing(
    event: &Event,
    system: &'static str,
    context: &opentelemetry::Value,
    consumer: &str,
    now: Timestamp,
) -> Span {
    let made_in = made_in(event);
    let links = made_in.iter().cloned().map(Link::with_context).collect();
    let parent = match made_in {
        Some(span) if continues(event, now) => Context::new().with_remote_span_context(span),
        Some(_) | None => Context::new(),
    };
    Span::start(SpanKind::Consumer, format!("process {}", event.route), parent, links, || {
        let mut attributes = message(event, system, "process");
        attributes.push(KeyValue::new("messaging.consumer.group.name", consumer.to_owned()));
        attributes.push(span::context(context.clone()));
        attributes
    })
}

fn made_in(event: &Event) -> Option<SpanContext> {
    event.traceparent.as_deref().and_then(parse)
}

fn continues(event: &Event, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(event.time)).is_ok_and(|age| age <= CONTINUES) || now < event.time
}

fn message(event: &Event, system: &'static str, operation: &'static str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", system),
        KeyValue::new("messaging.destination.name", event.route.clone()),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.operation.type", operation),
        KeyValue::new("messaging.message.id", event.id.to_string()),
        KeyValue::new("jumak.subject", event.subject.clone()),
        span::correlation_id(&event.correlation_id),
    ]
}
