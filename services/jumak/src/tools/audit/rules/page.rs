//! Checks my page against its sources.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use mesh::{
    checkout::{CaseEntry, State},
    fields::name,
};
use mypage::audit::{BookingRow, RoomRow as HostedRoom};
use payment::domain::payment::Payment;
use reservation::audit::Reserved;
use room::audit::RoomRow;
use uuid::Uuid;

use super::{calendar, rooms};
use crate::audit::{
    findings::Verdict,
    index::Index,
    reading::{MyPage, OutboxEvent},
    rule::Rule,
};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let Some(MyPage { bookings, rooms, heard }) = &index.reading.my_page else { return };
    check_bookings(index, bookings, verdict);
    check_rooms(index, rooms, verdict);
    check_timelines(index, heard, verdict);
}

fn check_bookings(index: &Index<'_>, bookings: &[BookingRow], verdict: &mut Verdict) {
    let mut shown: HashMap<(&str, &str), &BookingRow> = HashMap::new();
    for booking in bookings {
        shown.insert((&booking.case, &booking.user), booking);
        let known = index.reservation(&booking.case);
        let party = known.is_some_and(|(entry, _)| entry.payer == booking.user || entry.payee == booking.user);
        let fault = (!party).then(|| "it is shown to a user who is neither its guest nor its host".to_owned());
        verdict.note(Rule::MyPage, resource(&booking.user, &booking.case), fault);
    }
    for (entry, reserved) in index.reservations().filter(|(entry, _)| calendar::is_caught_up(index, entry)) {
        for user in [&entry.payer, &entry.payee] {
            let booking = shown.get(&(entry.name.as_str(), user.as_str())).copied();
            let fault = differs_on_page(index, (entry, reserved), user, booking);
            verdict.note(Rule::MyPage, resource(user, &entry.name), fault);
            if entry.payer == entry.payee {
                break;
            }
        }
    }
}

fn check_rooms(index: &Index<'_>, hosted: &[HostedRoom], verdict: &mut Verdict) {
    let hosted: HashMap<String, &HostedRoom> = hosted.iter().map(|room| (name("rooms", room.id), room)).collect();
    for room in index.reading.rooms.iter().filter(|room| rooms::is_caught_up(index, room)) {
        let fault = room_differs_on_page(room, hosted.get(&room.name).copied());
        verdict.note(Rule::MyPage, resource(&room.host, &room.name), fault);
    }
}

fn check_timelines(index: &Index<'_>, heard: &HashSet<Uuid>, verdict: &mut Verdict) {
    for event in index.reading.events.iter().filter(|event| is_shown(index, event) && index.is_late(event.occur_time)) {
        let fault = (!heard.contains(&event.id)).then(|| "it is in no timeline".to_owned());
        verdict.note(Rule::MyPage, format!("{} {} of {}", event.kind, event.sequence, event.subject), fault);
    }
}

/// Whether my page shows the event. A payment may be for a kind of case that my page does not show; another rule reports that.
fn is_shown(index: &Index<'_>, event: &OutboxEvent) -> bool {
    event.context != "payment"
        || index.payment_named(&event.subject).is_some_and(|payment| payment.case.starts_with("reservations/"))
}

fn resource(user: &str, what: &str) -> String {
    format!("{what} on {user}/myPage")
}

fn differs_on_page(
    index: &Index<'_>,
    (entry, reserved): (&CaseEntry, &Reserved),
    user: &str,
    booking: Option<&BookingRow>,
) -> Option<String> {
    let Some(booking) = booking else { return Some("my page does not show it".to_owned()) };
    let version = calendar::published_version(index, entry);
    if (booking.version, booking.state.as_str()) != (version, entry.state.name()) {
        return Some(format!(
            "it is {} in version {version}, but my page shows {} in version {}",
            entry.state.name(),
            booking.state,
            booking.version
        ));
    }
    let (state, refunded) = newest_published(index, entry).map_or(("", 0), |payment| {
        (payment.state().name(), payment.bill.as_ref().map_or(0, |(_, given)| given.refunded.minor()))
    });
    if (booking.payment_state.as_str(), booking.refunded_minor) != (state, refunded) {
        return Some(format!(
            "its payment is {state:?} with {refunded} refunded, but my page shows {:?} with {}",
            booking.payment_state, booking.refunded_minor
        ));
    }
    facts(entry, reserved, user, booking)
        .into_iter()
        .find(|(_, is, shown)| is != shown)
        .map(|(what, is, shown)| format!("its {what} is {is:?}, but my page shows {shown:?}"))
}

/// The other facts of a reservation: each with its name, its value, and the value that my page shows.
fn facts(
    entry: &CaseEntry,
    reserved: &Reserved,
    user: &str,
    booking: &BookingRow,
) -> [(&'static str, String, String); 8] {
    let last_day = reserved.nights.last().and_then(|night| night.parse::<Date>().ok()?.tomorrow().ok());
    let counterparty = if entry.payer == user { &entry.payee } else { &entry.payer };
    let roles = |is_guest, is_host| format!("guest: {is_guest}, host: {is_host}");
    let course = match entry.state {
        State::Pending | State::CancelRequested => "UNDECIDED",
        State::Confirmed => "AGREED",
        State::Cancelled | State::Rejected | State::Expired => "OFF",
    };
    [
        (
            "total",
            format!("{} {}", entry.total_minor, entry.currency),
            format!("{} {}", booking.total_minor, booking.currency),
        ),
        ("first day", reserved.nights.first().cloned().unwrap_or_default(), booking.start_date.clone()),
        ("last day", last_day.map(|day| day.to_string()).unwrap_or_default(), booking.end_date.clone()),
        ("room", name("rooms", reserved.room), booking.room.map(|room| name("rooms", room)).unwrap_or_default()),
        ("title", reserved.title.clone(), booking.title.clone()),
        ("course", course.to_owned(), booking.course.clone()),
        ("role", roles(entry.payer == user, entry.payee == user), roles(booking.is_guest, booking.is_host)),
        ("other party", counterparty.clone(), booking.counterparty.clone()),
    ]
}

/// The newest payment of the case that has published an event.
fn newest_published<'a>(index: &Index<'a>, entry: &CaseEntry) -> Option<&'a Payment> {
    index
        .payments_of(&entry.name)
        .iter()
        .filter(|payment| index.newest_event(&payment.name()).is_some())
        .max_by_key(|payment| (payment.create_time, payment.id))
        .copied()
}

fn room_differs_on_page(room: &RoomRow, hosted: Option<&HostedRoom>) -> Option<String> {
    let Some(hosted) = hosted else { return Some("my page does not show it".to_owned()) };
    let is = (
        room.version,
        room.host.as_str(),
        i32::from(room.units),
        room.nightly_rate.minor(),
        room.nightly_rate.code(),
        room.delete_time.is_some(),
    );
    let HostedRoom { version, host, units, rate_minor, currency, deleted, .. } = hosted;
    let shown = (*version, host.as_str(), *units, *rate_minor, currency.as_str(), *deleted);
    (is != shown).then(|| {
        format!("its version, host, units, rate, currency and deletion are {is:?}, but my page shows {shown:?}")
    })
}
