//! Checks the rooms' calendar against the reservations.

use std::collections::HashMap;

use mesh::{
    checkout::{CaseEntry, State},
    fields::name,
};
use reservation::audit::Reserved;
use room::audit::{Heard, Occupancy};

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let stays: HashMap<String, &Heard> =
        reading.stays.iter().map(|heard| (name("reservations", heard.reservation), heard)).collect();
    for heard in &reading.stays {
        let (reservation, room) = (name("reservations", heard.reservation), name("rooms", heard.room));
        if index.reservation(&reservation).is_none() {
            let fault = format!("it is in the calendar of {room}, but reservation does not have it");
            verdict.note(Rule::Calendar, reservation, Some(fault));
        }
    }
    for (entry, reserved) in index.reservations().filter(|(entry, _)| is_caught_up(index, entry)) {
        let fault = differs_in_calendar(index, entry, reserved, stays.get(&entry.name).copied());
        verdict.note(Rule::Calendar, &entry.name, fault);
    }
}

/// Whether all contexts have had time to handle the events of a case and its payments.
pub(super) fn is_caught_up(index: &Index<'_>, entry: &CaseEntry) -> bool {
    let payments = index.payments_of(&entry.name).iter().map(|payment| payment.name());
    payments
        .chain([entry.name.clone()])
        .filter_map(|subject| index.newest_event(&subject))
        .all(|newest| index.is_late(newest.occur_time))
}

/// The case's version as of its last event. Some changes of a case publish no event.
pub(super) fn published_version(index: &Index<'_>, entry: &CaseEntry) -> i64 {
    index.newest_event(&entry.name).map_or(entry.version, |newest| newest.sequence)
}

fn differs_in_calendar(
    index: &Index<'_>,
    entry: &CaseEntry,
    reserved: &Reserved,
    heard: Option<&Heard>,
) -> Option<String> {
    let Some(heard) = heard else { return Some("it is missing in the calendar".to_owned()) };
    let occupancy = match entry.state {
        State::Pending => Occupancy::Held,
        State::Confirmed => Occupancy::Charged,
        State::CancelRequested | State::Cancelled | State::Rejected | State::Expired => Occupancy::Released,
    };
    let version = published_version(index, entry);
    if (heard.version, heard.stay.occupancy) != (version, occupancy) {
        return Some(format!(
            "it is {} in version {version}, but in the calendar it is {:?} in version {}",
            entry.state.name(),
            heard.stay.occupancy,
            heard.version
        ));
    }
    let nights = heard.stay.nights.dates().map(|night| night.to_string());
    let same = nights.eq(reserved.nights.iter().cloned())
        && u32::from(heard.stay.units) == reserved.units
        && heard.room == reserved.room;
    (!same).then(|| "the calendar has another room, other nights or other units for it".to_owned())
}
