//! What was put together from events, against those that the events are about.

use std::collections::HashMap;

use mesh::{checkout::State, fields::name};
use mypage::audit::BookingRow;
use payment::domain::payment::Payment;
use reservation::audit::Entry;
use room::audit::{Occupancy, StayRow};

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let stays: HashMap<&str, &StayRow> = reading.stays.iter().map(|stay| (stay.reservation.as_str(), stay)).collect();
    let mut shown: HashMap<(&str, &str), &BookingRow> = HashMap::new();
    for booking in reading.bookings.iter().flatten() {
        shown.insert((&booking.case, &booking.user), booking);
        let known = index.reservation(&booking.case);
        let party = known.is_some_and(|entry| entry.guest == booking.user || entry.host == booking.user);
        let fault = (!party).then(|| "it is shown to somebody who has no part in it".to_owned());
        verdict.note(Rule::MyPage, resource(&booking.user, &booking.case), fault);
    }
    for entry in reading.reservations.iter().filter(|entry| is_told(index, entry)) {
        let fault = otherwise_in_calendar(index, entry, stays.get(entry.name.as_str()).copied());
        verdict.note(Rule::Calendar, &entry.name, fault);
        if reading.bookings.is_some() {
            for user in [&entry.guest, &entry.host] {
                let fault = otherwise_on_page(index, entry, shown.get(&(&entry.name, user)).copied());
                verdict.note(Rule::MyPage, resource(user, &entry.name), fault);
                if entry.guest == entry.host {
                    break;
                }
            }
        }
    }
}

fn resource(user: &str, case: &str) -> String {
    format!("{case} on {user}/myPage")
}

/// Whether everybody has had the time to hear of all that happened to a reservation and its payments.
fn is_told(index: &Index<'_>, entry: &Entry) -> bool {
    let payments = index.payments_of(&entry.name).iter().map(|payment| payment.name());
    payments
        .chain([entry.name.clone()])
        .filter_map(|subject| index.newest_event(&subject))
        .all(|newest| index.is_late(newest.occur_time))
}

/// The version in which the reservation was last told of: some changes concern nobody else.
fn told_version(index: &Index<'_>, entry: &Entry) -> i64 {
    index.newest_event(&entry.name).map_or(entry.version, |newest| newest.sequence)
}

fn otherwise_in_calendar(index: &Index<'_>, entry: &Entry, stay: Option<&StayRow>) -> Option<String> {
    let Some(stay) = stay else { return Some("the calendar does not have it".to_owned()) };
    let occupancy = match entry.state {
        State::Pending => Occupancy::Held,
        State::Confirmed => Occupancy::Charged,
        State::CancelRequested | State::Cancelled | State::Rejected | State::Expired => Occupancy::Released,
    };
    let version = told_version(index, entry);
    if (stay.version, stay.occupancy) != (version, occupancy) {
        return Some(format!(
            "it is {} in version {version}, and the calendar has it as {:?} in version {}",
            entry.state.name(),
            stay.occupancy,
            stay.version
        ));
    }
    let first = entry.nights.first().is_some_and(|night| *night == stay.check_in_date.to_string());
    let count = mesh::fields::nights_between(stay.check_in_date, stay.check_out_date);
    let same = first
        && usize::try_from(count) == Ok(entry.nights.len())
        && u32::from(stay.units) == entry.units
        && stay.room == name("rooms", entry.room);
    (!same).then(|| "the calendar has it in another room, for other nights or of other units".to_owned())
}

fn otherwise_on_page(index: &Index<'_>, entry: &Entry, booking: Option<&BookingRow>) -> Option<String> {
    let Some(booking) = booking else { return Some("my page does not have it".to_owned()) };
    let version = told_version(index, entry);
    if (booking.version, booking.state.as_str()) != (version, entry.state.name()) {
        return Some(format!(
            "it is {} in version {version}, and my page shows {} in version {}",
            entry.state.name(),
            booking.state,
            booking.version
        ));
    }
    let (state, refunded) = newest_told(index, entry).map_or(("", 0), |payment| {
        (payment.state().name(), payment.bill.as_ref().map_or(0, |(_, given)| given.refunded.minor()))
    });
    ((booking.payment_state.as_str(), booking.refunded_minor) != (state, refunded)).then(|| {
        format!(
            "its payment is {state:?} with {refunded} refunded, and my page shows {:?} with {}",
            booking.payment_state, booking.refunded_minor
        )
    })
}

/// The latest of its payments that was ever told of.
fn newest_told<'a>(index: &Index<'a>, entry: &Entry) -> Option<&'a Payment> {
    index
        .payments_of(&entry.name)
        .iter()
        .filter(|payment| index.newest_event(&payment.name()).is_some())
        .max_by_key(|payment| (payment.create_time, payment.id))
        .copied()
}
