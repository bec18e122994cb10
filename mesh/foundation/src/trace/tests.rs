use jiff::{SignedDuration, Timestamp};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use super::{sampler::Stranger, *};
use crate::{Clock, Event, event::route};

const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn event() -> Event {
    Event {
        id: uuid::Uuid::now_v7(),
        kind: "jumak.reservation.v1.ThingHappened".to_owned(),
        source: "reservation".to_owned(),
        subject: "things/1".to_owned(),
        route: route("reservation", "thing", "ThingHappened"),
        time: Clock::system().now(),
        correlation_id: "case".to_owned(),
        causation_id: None,
        actor: "users/alice".to_owned(),
        sequence: 1,
        traceparent: None,
        data: Vec::new(),
    }
}

#[test]
fn a_trace_context_is_read_and_written_as_w3c_has_it() {
    assert_eq!(parse(SENT).as_ref().and_then(encode).as_deref(), Some(SENT));
    let not_kept = SENT.replace("-01", "-00");
    assert_eq!(parse(&not_kept).as_ref().and_then(encode), Some(not_kept));
}

#[test]
fn what_is_no_trace_context_is_none() {
    let long = format!("01{}-{}", &SENT[2..], "x".repeat(100));
    let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for text in ["", "00", "4111111111111111", &SENT.to_uppercase(), &SENT[..54], zeros, &format!("{SENT}-x"), &long] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[tokio::test]
async fn without_a_tracer_work_runs_in_no_span() {
    let seen = alone("reservation", "sweep", "case", async { traceparent() }).await;
    assert_eq!(seen, None);
}

#[tokio::test]
async fn what_a_policy_says_carries_on_the_trace_of_what_it_heard() {
    let heard = Event { traceparent: Some(SENT.to_owned()), ..event() };
    let said_at = async |now: Timestamp| {
        let span = processing(&heard, "test", &"payment".into(), "payment", now);
        async { traceparent() }.with_context(span.context().clone()).await
    };
    assert_eq!(said_at(heard.time + SignedDuration::from_mins(1)).await.as_deref(), Some(SENT));
    assert_eq!(
        said_at(heard.time - SignedDuration::from_secs(1)).await.as_deref(),
        Some(SENT),
        "clocks differ a little"
    );
    assert_eq!(said_at(heard.time + SignedDuration::from_hours(1)).await, None, "that trace is over");
}

/// Whether a span is kept whose parent says `flags`, by a sampler that is asked through ours.
fn is_kept(sampler: Sampler, flags: TraceFlags, stranger: bool) -> bool {
    let provider = SdkTracerProvider::builder().with_sampler(Sampling::by(sampler)).build();
    // The least id there is: any ratio above nothing would keep it.
    let sent = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, true, TraceState::default());
    let context = if stranger { Context::new().with_value(Stranger) } else { Context::new() };
    let tracer = provider.tracer("test");
    let span = tracer.start_with_context("test", &context.with_remote_span_context(sent));
    let below = context.with_span(span);
    let kept = below.span().span_context().is_sampled();
    // Whatever was decided holds for the whole trace.
    let child = below.with_span(tracer.start_with_context("child", &below));
    assert_eq!(child.span().span_context().is_sampled(), kept);
    assert_eq!(child.span().span_context().trace_id(), TraceId::from(1), "the trace goes on");
    kept
}

#[test]
fn a_context_decides_whether_a_trace_is_kept_and_a_stranger_does_not() {
    let (yes, no) = (TraceFlags::SAMPLED, TraceFlags::NOT_SAMPLED);
    let parent_based = |root| Sampler::ParentBased(Box::new(root));
    assert!(is_kept(parent_based(Sampler::AlwaysOff), yes, false), "a context's word counts");
    assert!(!is_kept(parent_based(Sampler::AlwaysOn), no, false), "also when it says no");
    assert!(!is_kept(parent_based(Sampler::AlwaysOff), yes, true), "a stranger cannot have a trace kept");
    assert!(is_kept(parent_based(Sampler::AlwaysOn), no, true), "nor keep us from it");
    let seldom = || parent_based(Sampler::TraceIdRatioBased(1e-12));
    assert!(!is_kept(seldom(), yes, true), "not by choosing the id either");
}
