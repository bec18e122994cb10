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
use room::audit::Room;
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
        let (name, user) = (&booking.name, &booking.party.user_name);
        shown.insert((name, user), booking);
        let party = index.reservation(name).is_some_and(|(entry, _)| entry.payer == *user || entry.payee == *user);
        let fault = (!party).then(|| "it is shown to a user who is neither its guest nor its host".to_owned());
        verdict.note(Rule::MyPage, resource(user, name), fault);
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
    let hosted: HashMap<String, &HostedRoom> = hosted.iter().map(|room| (name("rooms", room.room_id), room)).collect();
    for room in index.reading.rooms.iter().filter(|room| rooms::is_caught_up(index, room)) {
        let name = room.name();
        let fault = room_differs_on_page(room, hosted.get(&name).copied());
        verdict.note(Rule::MyPage, resource(&room.host, &name), fault);
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
    let case = &booking.case;
    let version = calendar::published_version(index, entry);
    if (case.version, case.state.as_str()) != (version, entry.state.name()) {
        return Some(format!(
            "it is {} in version {version}, but my page shows {} in version {}",
            entry.state.name(),
            case.state,
            case.version
        ));
    }
    let (state, refunded) = newest_published(index, entry).map_or(("", 0), |payment| {
        (payment.state().name(), payment.bill.as_ref().map_or(0, |(_, given)| given.refunded.minor()))
    });
    if (case.payment_state.as_str(), case.refunded_minor) != (state, refunded) {
        return Some(format!(
            "its payment is {state:?} with {refunded} refunded, but my page shows {:?} with {}",
            case.payment_state, case.refunded_minor
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
    BookingRow { party, case, .. }: &BookingRow,
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
            format!("{} {}", case.total_minor, case.currency),
        ),
        ("first day", reserved.nights.first().cloned().unwrap_or_default(), case.start_date.clone()),
        ("last day", last_day.map(|day| day.to_string()).unwrap_or_default(), case.end_date.clone()),
        ("room", name("rooms", reserved.room), case.room_id.map(|room| name("rooms", room)).unwrap_or_default()),
        ("title", reserved.title.clone(), case.title.clone()),
        ("course", course.to_owned(), case.course.clone()),
        ("role", roles(entry.payer == user, entry.payee == user), roles(party.is_guest, party.is_host)),
        ("other party", counterparty.clone(), party.counterparty.clone()),
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

fn room_differs_on_page(room: &Room, hosted: Option<&HostedRoom>) -> Option<String> {
    let Some(hosted) = hosted else { return Some("my page does not show it".to_owned()) };
    let is = (
        room.version,
        room.host.as_str(),
        i32::from(room.details.units),
        room.details.nightly_rate.minor(),
        room.details.nightly_rate.code(),
        room.delete_time.is_some(),
    );
    let HostedRoom { version, host, units, rate_minor, currency, deleted, .. } = hosted;
    let shown = (*version, host.as_str(), *units, *rate_minor, currency.as_str(), *deleted);
    (is != shown).then(|| {
        format!("its version, host, units, rate, currency and deletion are {is:?}, but my page shows {shown:?}")
    })
}
