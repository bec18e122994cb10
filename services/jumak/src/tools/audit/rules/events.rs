//! Checks events in transit, and requests without an answer.

use std::collections::{HashMap, HashSet};

use mesh::checkout::State;
use uuid::Uuid;

use super::covered::collection;
use crate::audit::{
    findings::Verdict,
    index::Index,
    reading::{KnownEvent, OpenRequest, OutboxEvent},
    rule::Rule,
};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let mut named: HashMap<&str, &str> = HashMap::new();
    for event in &index.reading.events {
        let resource = format!("{} {} of {}", event.kind, event.sequence, event.subject);
        let unpublished = !event.is_published && index.is_late(event.occur_time);
        let fault = unpublished.then(|| format!("it has been in the outbox since {}", event.occur_time));
        verdict.note(Rule::EventsPublished, &resource, fault);

        let fault = if event.correlation_id.is_empty() {
            Some("it has no correlation id".to_owned())
        } else {
            case_of(index, event).and_then(|case| {
                let first = named.entry(case).or_insert(&event.correlation_id);
                (*first != event.correlation_id).then(|| {
                    format!("its correlation id is {}, but other events of {case} have {first}", event.correlation_id)
                })
            })
        };
        verdict.note(Rule::EventsNamed, &resource, fault);
    }
    for backlog in &index.reading.backlogs {
        let resource = format!("consumers/{}", backlog.consumer);
        let fault = match (backlog.dead_letters.first(), backlog.oldest) {
            (Some(reason), _) => Some(format!("it has {} dead letters ({reason})", backlog.dead_letters.len())),
            (None, Some(oldest)) if index.is_late(oldest) => {
                Some(format!("{} events wait to be handled, the oldest since {oldest}", backlog.waiting))
            }
            (None, _) => None,
        };
        verdict.note(Rule::EventsHandled, resource, fault);
    }
    for consumer in &index.reading.consumers {
        // Before the first event no consumer can have missed anything.
        let is_there = index.reading.backlogs.iter().any(|backlog| backlog.consumer == *consumer);
        if !is_there && !index.reading.events.is_empty() {
            let fault = "the bus has no such consumer, so it gets no events".to_owned();
            verdict.note(Rule::EventsHandled, format!("consumers/{consumer}"), Some(fault));
        }
    }
    let held: HashSet<(&str, Uuid)> = index.reading.events.iter().map(|event| (event.context, event.id)).collect();
    for known in &index.reading.known {
        let KnownEvent { context, id, by } = known;
        let fault = (!held.contains(&(*context, *id))).then(|| {
            format!("{by}, but it is not in the database of {context}: the database has lost data, or is an older copy")
        });
        verdict.note(Rule::Remembered, format!("event {id} of {context}"), fault);
    }
    for request in &index.reading.open_requests {
        let OpenRequest { context, principal, method, request_id, .. } = request;
        let resource = format!("{context} {method} {request_id} of {principal}");
        verdict.note(Rule::RequestsAnswered, resource, unanswered(index, request));
    }
}

/// The business case of an event: the case that it is about, or the case of the payment that it is about. All events of a case must have
/// the same correlation id.
fn case_of<'a>(index: &Index<'a>, event: &'a OutboxEvent) -> Option<&'a str> {
    let about = collection(&event.subject);
    if index.reading.owners.iter().any(|owner| owner.context == event.context && owner.collection == about) {
        return Some(&event.subject);
    }
    index.payment_named(&event.subject).map(|payment| payment.case.as_str())
}

fn unanswered(index: &Index<'_>, request: &OpenRequest) -> Option<String> {
    // A request without a case is recorded in the same commit as its answer.
    let Some(case) = &request.case else { return Some("it has no answer and waits for no case".to_owned()) };
    let Some(entry) = index.case(case) else { return Some(format!("it waits for {case}, which does not exist")) };
    let attempts = entry.payments.len();
    if usize::try_from(request.attempt).is_ok_and(|attempt| attempt < attempts) {
        return Some(format!("it waits for payment attempt {} of {case}, which has {attempts}", request.attempt));
    }
    (entry.state != State::Pending).then(|| format!("it waits for {case}, which is already {}", entry.state.name()))
}
