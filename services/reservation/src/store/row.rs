//! What is a reservation's own in its row.

use contracts::reservation::v1::{Reservation as Resource, reservation::GuestDetails as ResourceDetails};
use jiff::civil::Date;
use mesh::{
    Error,
    checkout::{Record, store::broken},
    store::int,
};
use prost::Message;
use sea_orm::ActiveValue::Set;

use super::entity::reservation::{ActiveModel, Model};
use crate::{
    convert,
    domain::{Reservation, Stay},
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
    let broken = |what| broken(&record.name, what);
    let frozen = Resource::decode(row.frozen.as_slice()).map_err(|_| broken("snapshot"))?;
    let stay = Stay {
        check_in: date(&row.check_in_date).ok_or_else(|| broken("date"))?,
        check_out: date(&row.check_out_date).ok_or_else(|| broken("date"))?,
        units: u32::try_from(row.units).map_err(|_| broken("number"))?,
        guests: u32::try_from(row.guests).map_err(|_| broken("number"))?,
    };
    let guest_details = row
        .guest_details
        .map(|bytes| ResourceDetails::decode(bytes.as_slice()).map(|details| convert::read_guest_details(&details)))
        .transpose()
        .map_err(|_| broken("detail"))?;
    let (room_snapshot, price, cancellation_policy) =
        convert::read_frozen(&frozen).ok_or_else(|| broken("snapshot"))?;
    Ok(Reservation {
        check_in: Reservation::check_in_instant(&stay, &room_snapshot),
        record,
        id: row.id,
        room: row.room,
        room_version: None,
        stay,
        guest_details,
        room_snapshot,
        price,
        cancellation_policy,
    })
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}
