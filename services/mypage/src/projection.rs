//! The events that this context consumes, and the changes of the read model that each one causes, as pure functions.
//!
//! An event carries its resource after the change. So each event becomes one entry of a timeline and a snapshot with a version, and
//! the store keeps the newest snapshot: the order in which events arrive does not matter.

use contracts::{
    google::r#type::Money as ProtoMoney,
    mypage::v1::{
        Booking,
        booking::{Details, Kind, Stay},
    },
    payment::v1 as payment,
    reservation::v1 as reservation,
    room::v1::{Room, room::State as RoomState},
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use mesh::{Clock, Error, Event, Tx, clock, context::Handled, fields::parse_name, hearing::Hearing, money::Money};
use uuid::Uuid;

use crate::{
    course::Course,
    store::{
        entity::{room, timeline},
        write,
    },
};

/// A decoded event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its timeline entry.
    pub entry: timeline::Model,
    /// Its snapshot.
    pub change: Change,
}

/// A snapshot of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A case, from its owner.
    Case(Box<CaseChange>),
    /// One of a case's payments, from payment.
    Payment(PaymentChange),
    /// A room.
    Room(room::Model),
}

/// A case, from its owner's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseChange {
    /// The id in the case's name.
    pub case_id: Uuid,
    /// What kind of case it is.
    pub kind: Kind,
    /// The owner's version.
    pub version: i64,
    /// What the case's events share.
    pub correlation_id: String,
    /// Who booked: `users/…`.
    pub guest: String,
    /// Who provides: `users/…`.
    pub host: String,
    /// The room of a stay.
    pub room_id: Uuid,
    /// What it is about.
    pub title: String,
    /// The owner's word for where it stands.
    pub state: String,
    /// What it still waits for.
    pub course: Course,
    /// The first day.
    pub start_date: Date,
    /// The last day.
    pub end_date: Date,
    /// When the last day is over.
    pub end_time: Timestamp,
    /// What it costs.
    pub total: Money,
    /// What is booked.
    pub details: Booking,
    /// When the case was created.
    pub create_time: Timestamp,
    /// When the change came about.
    pub source_time: Timestamp,
}

/// One of a case's payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentChange {
    /// The case that is paid for.
    pub case_id: Uuid,
    /// The payment.
    pub payment_id: Uuid,
    /// When it was asked for. A case has one attempt at a time, so the youngest payment is the one that counts.
    pub create_time: Timestamp,
    /// Its version.
    pub version: i64,
    /// Payment's word for where it stands.
    pub state: String,
    /// What is given back, in minor units of the case's currency.
    pub refunded_minor: i64,
    /// When the change came about.
    pub source_time: Timestamp,
}

/// A part of an event that cannot be read: it breaks its contract.
#[derive(Debug, thiserror::Error)]
#[error("its {0} cannot be read")]
pub struct Malformed(&'static str);

/// The events that this context consumes: all events of cases, payments and rooms.
pub fn hearing(clock: Clock) -> Hearing<Clock> {
    Hearing::new(clock)
        .on_any("reservation", |clock, tx, told, event| Box::pin(apply(clock, tx, event, of_reservation(event, told))))
        .on_any("payment", |clock, tx, told, event| Box::pin(apply(clock, tx, event, of_payment(event, told))))
        .on_any("room", |clock, tx, told, event| Box::pin(apply(clock, tx, event, of_room(event, told))))
}

async fn apply(
    clock: &Clock,
    tx: &Tx,
    event: &Event,
    heard: Result<Option<Heard>, Malformed>,
) -> Result<Handled, Error> {
    match heard.map_err(|what| event.malformed(what))? {
        // An event of a kind of case that is not shown here.
        None => Ok(Handled::Unknown),
        Some(heard) => write::apply(tx, &heard, clock.now()).await.map(|()| Handled::Done),
    }
}

fn of_reservation(event: &Event, reservation: reservation::Reservation) -> Result<Option<Heard>, Malformed> {
    let case_id = parse_name(&reservation.name, "reservations").ok_or(Malformed("reservation.name"))?;
    let state = reservation.state();
    let course = Course::of_reservation(state).ok_or(Malformed("reservation.state"))?;
    let snapshot = reservation.room_snapshot.unwrap_or_default();
    let start_date = date("reservation.check_in_date", &reservation.check_in_date)?;
    let end_date = date("reservation.check_out_date", &reservation.check_out_date)?;
    let total = reservation.price.and_then(|price| price.total);
    let entry = entry(event, Some(case_id), &reservation.name, reservation.version, state.as_str_name());
    let change = CaseChange {
        case_id,
        kind: Kind::Reservation,
        version: reservation.version,
        correlation_id: event.correlation_id.clone(),
        guest: reservation.guest,
        host: reservation.host,
        room_id: parse_name(&reservation.room, "rooms").ok_or(Malformed("reservation.room"))?,
        title: if snapshot.display_name.is_empty() { snapshot.number.clone() } else { snapshot.display_name },
        state: state.as_str_name().to_owned(),
        course,
        start_date,
        end_date,
        end_time: end_of_stay(end_date, &snapshot.check_out_time, &snapshot.time_zone)?,
        total: money("reservation.price.total", total.as_ref())?,
        create_time: instant("reservation.create_time", reservation.create_time.as_ref())?,
        source_time: event.time,
        details: Booking {
            payment_label: reservation.payment_label,
            pay_time: reservation.pay_time,
            cancellation: reservation.cancellation,
            details: Some(Details::Stay(Stay {
                room: reservation.room,
                room_number: snapshot.number,
                size_square_meters: snapshot.size_square_meters,
                amenities: snapshot.amenities,
                register_time: snapshot.register_time,
                units: reservation.units,
                guests: reservation.guests,
            })),
            ..Booking::default()
        },
    };
    Ok(Some(Heard { entry, change: Change::Case(Box::new(change)) }))
}

fn of_payment(event: &Event, payment: payment::Payment) -> Result<Option<Heard>, Malformed> {
    let Some(case_id) = parse_name(&payment.case, "reservations") else {
        return Ok(None);
    };
    let state = payment.state();
    if state == payment::payment::State::Unspecified {
        return Err(Malformed("payment.state"));
    }
    // A payment that was voided before it was created has no amount.
    let refunded = payment.refunded_amount.as_ref();
    let change = PaymentChange {
        case_id,
        payment_id: parse_name(&payment.name, "payments").ok_or(Malformed("payment.name"))?,
        create_time: instant("payment.create_time", payment.create_time.as_ref())?,
        version: payment.version,
        state: state.as_str_name().to_owned(),
        refunded_minor: refunded.map_or(Ok(0), |it| money("payment.refunded_amount", Some(it)).map(Money::minor))?,
        source_time: event.time,
    };
    let entry = entry(event, Some(case_id), &payment.name, payment.version, state.as_str_name());
    Ok(Some(Heard { entry, change: Change::Payment(change) }))
}

fn of_room(event: &Event, room: Room) -> Result<Option<Heard>, Malformed> {
    let state = room.state();
    let rate = money("room.nightly_rate", room.nightly_rate.as_ref())?;
    let create_time = instant("room.create_time", room.create_time.as_ref())?;
    let change = room::Model {
        room_id: parse_name(&room.name, "rooms").ok_or(Malformed("room.name"))?,
        deleted: match state {
            RoomState::Unspecified => return Err(Malformed("room.state")),
            RoomState::Active => false,
            RoomState::Deleted => true,
        },
        rate_minor: rate.minor(),
        currency: rate.code().to_owned(),
        units: room.units.unwrap_or(1),
        version: room.version,
        create_time: create_time.as_microsecond(),
        source_time: event.time.as_microsecond(),
        host: room.host,
        number: room.number,
        display_name: room.display_name,
    };
    let entry = entry(event, None, &room.name, room.version, state.as_str_name());
    Ok(Some(Heard { entry, change: Change::Room(change) }))
}

fn entry(event: &Event, case_id: Option<Uuid>, subject: &str, sequence: i64, state: &str) -> timeline::Model {
    timeline::Model {
        event_id: event.id,
        case_id,
        subject: subject.to_owned(),
        sequence,
        occur_time: event.time.as_microsecond(),
        kind: event.kind.clone(),
        actor: event.actor.clone(),
        causation_id: event.causation_id.as_deref().and_then(|id| Uuid::try_parse(id).ok()),
        state: state.to_owned(),
    }
}

/// The check-out time. If this build's table does not know the zone, or there is no time of day, the booking must not be hidden, so the
/// end is then off by some hours.
fn end_of_stay(last_day: Date, time_of_day: &str, zone: &str) -> Result<Timestamp, Malformed> {
    let time = time_of_day.parse().unwrap_or(Time::MAX);
    let zone = clock::zone(zone).unwrap_or(TimeZone::UTC);
    let end = last_day.to_datetime(time).to_zoned(zone).map_err(|_| Malformed("reservation.check_out_date"))?;
    Ok(clock::from_micros(end.timestamp().as_microsecond()))
}

fn date(field: &'static str, text: &str) -> Result<Date, Malformed> {
    text.parse().map_err(|_| Malformed(field))
}

fn money(field: &'static str, amount: Option<&ProtoMoney>) -> Result<Money, Malformed> {
    amount.and_then(|amount| Money::try_from(amount).ok()).ok_or(Malformed(field))
}

fn instant(field: &'static str, at: Option<&prost_types::Timestamp>) -> Result<Timestamp, Malformed> {
    at.and_then(clock::from_proto).ok_or(Malformed(field))
}
