//! Checks events in transit, and requests without an answer.

use std::collections::{HashMap, HashSet};

use mesh::checkout::State;
use uuid::Uuid;

use super::covered::collection;
use crate::audit::{
    findings::Verdict,
    index::Index,
    reading::{KnownEvent, OpenRequest, Told},
    rule::Rule,
};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let mut named: HashMap<&str, &str> = HashMap::new();
    for told in &index.reading.events {
        let resource = format!("{} {} of {}", told.kind, told.sequence, told.subject);
        let unpublished = !told.is_published && index.is_late(told.occur_time);
        let fault = unpublished.then(|| format!("it has been in the outbox since {}", told.occur_time));
        verdict.note(Rule::EventsPublished, &resource, fault);

        let fault = if told.correlation_id.is_empty() {
            Some("it names no business case".to_owned())
        } else {
            case_of(index, told).and_then(|case| {
                let first = named.entry(case).or_insert(&told.correlation_id);
                (*first != told.correlation_id)
                    .then(|| format!("it names {}, and others about {case} name {first}", told.correlation_id))
            })
        };
        verdict.note(Rule::EventsNamed, &resource, fault);
    }
    for backlog in &index.reading.backlogs {
        let resource = format!("consumers/{}", backlog.consumer);
        let fault = match (backlog.dead_letters.first(), backlog.oldest) {
            (Some(reason), _) => Some(format!("{} events are dead letters ({reason})", backlog.dead_letters.len())),
            (None, Some(oldest)) if index.is_late(oldest) => {
                Some(format!("{} events wait to be handled, the oldest since {oldest}", backlog.waiting))
            }
            (None, _) => None,
        };
        verdict.note(Rule::EventsHandled, resource, fault);
    }
    for hearer in &index.reading.hearers {
        // Before the first event no consumer can have missed one.
        let is_there = index.reading.backlogs.iter().any(|backlog| backlog.consumer == *hearer);
        if !is_there && !index.reading.events.is_empty() {
            let fault = "the bus has no such consumer, so it gets no events".to_owned();
            verdict.note(Rule::EventsHandled, format!("consumers/{hearer}"), Some(fault));
        }
    }
    let held: HashSet<(&str, Uuid)> = index.reading.events.iter().map(|told| (told.context, told.id)).collect();
    for known in &index.reading.known {
        let KnownEvent { context, id, by } = known;
        let fault = (!held.contains(&(*context, *id))).then(|| {
            format!("{by}, and the database of {context} does not have it: it has lost this and perhaps more, or is an older copy")
        });
        verdict.note(Rule::Remembered, format!("event {id} of {context}"), fault);
    }
    for request in &index.reading.open_requests {
        let OpenRequest { context, principal, method, request_id, .. } = request;
        let resource = format!("{context} {method} {request_id} of {principal}");
        verdict.note(Rule::RequestsAnswered, resource, unanswered(index, request));
    }
}

/// The business case that an event must name the same way as all others about it: the case that it is about, or whose payment.
fn case_of<'a>(index: &Index<'a>, told: &'a Told) -> Option<&'a str> {
    let about = collection(&told.subject);
    if index.reading.owners.iter().any(|owner| owner.context == told.context && owner.collection == about) {
        return Some(&told.subject);
    }
    index.payment_named(&told.subject).map(|payment| payment.case.as_str())
}

fn unanswered(index: &Index<'_>, request: &OpenRequest) -> Option<String> {
    // A request that begins no case is recorded in the commit that answers it.
    let Some(case) = &request.case else { return Some("it was recorded without an answer".to_owned()) };
    let Some(entry) = index.case(case) else { return Some(format!("it waits for {case}, which is not there")) };
    let attempts = u32::try_from(entry.payments.len()).unwrap_or(u32::MAX);
    if request.attempt < attempts {
        return Some(format!("it waits for attempt {} at paying {case}, and {attempts} were made", request.attempt));
    }
    (entry.state != State::Pending).then(|| format!("it waits for {case}, which is {}", entry.state.name()))
}
