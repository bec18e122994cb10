//! Records that no rule covers are a fault.

use std::collections::BTreeSet;

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

/// Whose events are about what beside cases, each with a rule that compares it: rooms with what is sold and shown of them, payments with
/// the provider's books and the ledger.
const TOLD: [(&str, &str); 2] = [("room", "rooms"), ("payment", "payments")];
/// The collections of the cases for which there are rules about what they hold, and about how they are shown.
const HELD: [&str; 1] = ["reservations"];

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let owned: Vec<_> = reading.owners.iter().map(|owner| (owner.context, owner.collection)).collect();
    let events: BTreeSet<_> = reading.events.iter().map(|told| (told.context, collection(&told.subject))).collect();
    for event in events {
        let (context, about) = event;
        let fault = (!TOLD.contains(&event) && !owned.contains(&event))
            .then(|| format!("no rule covers what {context} tells of {about}"));
        verdict.note(Rule::Covered, format!("events of {context} about {about}"), fault);
    }
    let cases = reading.cases.iter().map(|entry| entry.collection());
    for sold in cases.chain(reading.payments.iter().map(|payment| collection(&payment.case))).collect::<BTreeSet<_>>() {
        let fault = (!HELD.contains(&sold)).then(|| format!("no rule covers what is held for {sold}"));
        verdict.note(Rule::Covered, format!("cases in {sold}"), fault);
    }
    let waiting = reading.open_requests.iter().filter_map(|request| Some((request.context, request.case.as_deref()?)));
    for request in waiting.map(|(context, case)| (context, collection(case))).collect::<BTreeSet<_>>() {
        let (context, about) = request;
        let fault =
            (!owned.contains(&request)).then(|| format!("no rule covers requests to {context} that wait for {about}"));
        verdict.note(Rule::Covered, format!("requests to {context} about {about}"), fault);
    }
}

/// The collection that a resource's name is in, as in `reservations`.
pub(super) fn collection(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}
