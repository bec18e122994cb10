//! Converts rows to messages.

use std::cmp::max;

use contracts::mypage::v1::{
    Booking,
    booking::{Kind, Role},
    my_page::HostedRoom,
};
use jiff::Timestamp;
use mesh::{
    Error, clock, fields,
    store::{Reading, int},
};
use prost::Message;

use crate::{
    course::Course,
    store::{
        entity::{case, room},
        read::Row,
    },
};

/// The booking in that row, as it is at `now`.
pub fn booking((booking, case): Row, now: Timestamp) -> Result<Booking, Error> {
    let reading = Reading("bookings", case.case_id);
    let course: Course = reading.text("course", &case.course)?;
    let told = case.details.as_deref().map(Booking::decode).transpose().map_err(|_| reading.broken("detail"))?;
    let mut roles = Vec::with_capacity(2);
    if booking.is_guest {
        roles.push(Role::Guest.into());
    }
    if booking.is_host {
        roles.push(Role::Host.into());
    }
    Ok(Booking {
        name: format!("{}/bookings/{}", booking.user_name, case.case_id),
        case: fields::name(collection(&case)?, case.case_id),
        kind: kind(&case)?.into(),
        roles,
        phase: course.phase(clock::from_micros(case.end_time), now).into(),
        total: Some(reading.money(case.total_minor, &case.currency)?.into()),
        refunded: Some(reading.money(case.refunded_minor, &case.currency)?.into()),
        source_time: Some(instant(max(case.source_time, case.payment_source_time))),
        create_time: Some(instant(booking.create_time)),
        update_time: Some(instant(booking.update_time)),
        counterparty: booking.counterparty,
        title: case.title,
        state: case.state,
        start_date: case.start_date,
        end_date: case.end_date,
        payment_state: case.payment_state,
        version: case.version,
        ..told.unwrap_or_default()
    })
}

/// The room in that row, which has so many open bookings.
pub fn room(room: room::Model, open_bookings: i64) -> Result<HostedRoom, Error> {
    Ok(HostedRoom {
        room: fields::name("rooms", room.room_id),
        nightly_rate: Some(Reading("rooms", room.room_id).money(room.rate_minor, &room.currency)?.into()),
        number: room.number,
        display_name: room.display_name,
        units: Some(room.units),
        open_bookings: Some(int(open_bookings)?),
    })
}

/// The collection, at its owner, that the case is in.
pub fn collection(case: &case::Model) -> Result<&'static str, Error> {
    match kind(case)? {
        Kind::Reservation => Ok("reservations"),
        Kind::Unspecified | Kind::Order | Kind::Rental => Err(Reading("bookings", case.case_id).broken("kind")),
    }
}

/// An instant in a column, as the contract has it.
pub fn instant(micros: i64) -> prost_types::Timestamp {
    clock::to_proto(clock::from_micros(micros))
}

fn kind(case: &case::Model) -> Result<Kind, Error> {
    Reading("bookings", case.case_id).some("kind", Kind::from_str_name(&case.kind))
}
