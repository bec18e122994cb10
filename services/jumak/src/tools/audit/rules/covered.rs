//! Checks that every record is covered by a rule. A new kind of event, case or request needs a rule of its own.

use std::collections::BTreeSet;

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

/// Contexts with the collections that their events are about, besides cases. Rules compare each of them: rooms with the copies in
/// reservation and mypage, payments with the provider's books and the ledger.
const PUBLISHED: [(&str, &str); 2] = [("room", "rooms"), ("payment", "payments")];
/// The collections of cases for which rules check the held units and the read models.
const HELD: [&str; 1] = ["reservations"];

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let owned: Vec<_> = reading.owners.iter().map(|owner| (owner.context, owner.collection)).collect();
    let events: BTreeSet<_> = reading.events.iter().map(|event| (event.context, collection(&event.subject))).collect();
    for event in events {
        let (context, about) = event;
        let fault = (!PUBLISHED.contains(&event) && !owned.contains(&event))
            .then(|| format!("no rule covers the events of {context} about {about}"));
        verdict.note(Rule::Covered, format!("events of {context} about {about}"), fault);
    }
    let cases = reading.cases.iter().map(|entry| entry.collection());
    for sold in cases.chain(reading.payments.iter().map(|payment| collection(&payment.case))).collect::<BTreeSet<_>>() {
        let fault = (!HELD.contains(&sold)).then(|| format!("no rule covers the units that are held for {sold}"));
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

/// The collection in a resource's name, such as `reservations`.
pub(super) fn collection(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}
