//! What is a reservation's own in its row.

use contracts::reservation::v1::{Reservation as Resource, reservation::GuestDetails as ResourceDetails};
use mesh::{
    Error,
    checkout::Record,
    store::{Reading, int},
};
use prost::Message;
use sea_orm::ActiveValue::Set;

use super::entity::reservation::{ActiveModel, Model};
use crate::{
    convert,
    domain::{COLLECTION, Reservation, Stay},
};

pub(super) fn to_row(case: &Reservation) -> Result<ActiveModel, Error> {
    Ok(ActiveModel {
        room: Set(case.room),
        check_in_date: Set(case.stay.check_in.to_string()),
        check_out_date: Set(case.stay.check_out.to_string()),
        units: Set(int(case.stay.units)?),
        guests: Set(int(case.stay.guests)?),
        frozen: Set(convert::frozen(case).encode_to_vec()),
        guest_details: Set(case.guest_details.as_ref().map(|details| convert::guest_details(details).encode_to_vec())),
        ..ActiveModel::default()
    })
}

pub(super) fn from_row(row: Model, record: Record) -> Result<Reservation, Error> {
    let reading = Reading(COLLECTION, row.id);
    let frozen = Resource::decode(row.frozen.as_slice()).ok();
    let (room_snapshot, price, cancellation_policy) =
        reading.some("snapshot", frozen.as_ref().and_then(convert::read_frozen))?;
    let stay = Stay {
        check_in: reading.text("date", &row.check_in_date)?,
        check_out: reading.text("date", &row.check_out_date)?,
        units: reading.count("number of units", row.units)?,
        guests: reading.count("number of guests", row.guests)?,
    };
    let guest_details = row.guest_details.map(|bytes| ResourceDetails::decode(bytes.as_slice())).transpose();
    let guest_details = guest_details.map_err(|_| reading.broken("detail"))?;
    Ok(Reservation {
        check_in: Reservation::check_in_instant(&stay, &room_snapshot),
        record,
        id: row.id,
        room: row.room,
        room_version: None,
        stay,
        guest_details: guest_details.as_ref().map(convert::read_guest_details),
        room_snapshot,
        price,
        cancellation_policy,
    })
}
