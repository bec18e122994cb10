//! Checks the rooms' calendar against the reservations.

use std::collections::HashMap;

use mesh::{
    checkout::{CaseEntry, State},
    fields::name,
};
use reservation::audit::Reserved;
use room::audit::{Occupancy, StayRow};

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let stays: HashMap<&str, &StayRow> = reading.stays.iter().map(|stay| (stay.reservation.as_str(), stay)).collect();
    for stay in reading.stays.iter().filter(|stay| index.reservation(&stay.reservation).is_none()) {
        let fault = format!("it is in the calendar of {}, but reservation does not have it", stay.room);
        verdict.note(Rule::Calendar, &stay.reservation, Some(fault));
    }
    for (entry, reserved) in index.reservations().filter(|(entry, _)| is_caught_up(index, entry)) {
        let fault = differs_in_calendar(index, entry, reserved, stays.get(entry.name.as_str()).copied());
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
    stay: Option<&StayRow>,
) -> Option<String> {
    let Some(stay) = stay else { return Some("it is missing in the calendar".to_owned()) };
    let occupancy = match entry.state {
        State::Pending => Occupancy::Held,
        State::Confirmed => Occupancy::Charged,
        State::CancelRequested | State::Cancelled | State::Rejected | State::Expired => Occupancy::Released,
    };
    let version = published_version(index, entry);
    if (stay.version, stay.occupancy) != (version, occupancy) {
        return Some(format!(
            "it is {} in version {version}, but in the calendar it is {:?} in version {}",
            entry.state.name(),
            stay.occupancy,
            stay.version
        ));
    }
    let first = reserved.nights.first().is_some_and(|night| *night == stay.check_in_date.to_string());
    let count = mesh::fields::nights_between(stay.check_in_date, stay.check_out_date);
    let same = first
        && usize::try_from(count) == Ok(reserved.nights.len())
        && u32::from(stay.units) == reserved.units
        && stay.room == name("rooms", reserved.room);
    (!same).then(|| "the calendar has another room, other nights or other units for it".to_owned())
}
