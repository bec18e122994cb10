//! The stays on a room's nights, from reservation's events, and the blocked units.

use std::collections::HashMap;

use jiff::civil::Date;
use mesh::{Error, Tx, store::Reading};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entity::{blocked_night, stay};
use crate::domain::{Blocked, Nights, Occupancy, OpenStays, Stay};

/// A stay from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The reservation.
    pub reservation: Uuid,
    /// The reservation's version: the newest one counts, in any order of arrival.
    pub version: i64,
    /// The room.
    pub room: Uuid,
    /// The stay.
    pub stay: Stay,
}

/// Stores the stay of an event, unless a newer version of the reservation is stored.
pub async fn hear(tx: &Tx, heard: &Heard) -> Result<(), Error> {
    let row = stay::ActiveModel {
        reservation: Set(heard.reservation),
        room: Set(heard.room),
        check_in: Set(heard.stay.nights.first().to_string()),
        check_out: Set(heard.stay.nights.end().to_string()),
        units: Set(heard.stay.units.into()),
        occupancy: Set(heard.stay.occupancy.name().to_owned()),
        version: Set(heard.version),
    };
    tx.keep_newest(row, stay::Column::Version.lt(heard.version)).await?;
    Ok(())
}

/// The stays that take units of these rooms on any of these nights, by room.
pub async fn stays(
    connection: &impl ConnectionTrait,
    rooms: &[Uuid],
    nights: Nights,
) -> Result<HashMap<Uuid, Vec<Stay>>, Error> {
    let rows = stay::Entity::find()
        .filter(stay::Column::Room.is_in(rooms.iter().copied()))
        .filter(stay::Column::CheckIn.lt(nights.end().to_string()))
        .filter(stay::Column::CheckOut.gt(nights.first().to_string()))
        .filter(takes_units())
        .all(connection)
        .await?;
    let mut stays: HashMap<Uuid, Vec<Stay>> = HashMap::new();
    for row in rows {
        let heard = Heard::try_from(row)?;
        stays.entry(heard.room).or_default().push(heard.stay);
    }
    Ok(stays)
}

/// The stays of a room that take units and end on `first_check_out` or later: how many, and the first `limit` of them.
pub async fn open(tx: &Tx, room: Uuid, first_check_out: Date, limit: u64) -> Result<OpenStays, Error> {
    let open = stay::Entity::find()
        .filter(stay::Column::Room.eq(room))
        .filter(stay::Column::CheckOut.gte(first_check_out.to_string()))
        .filter(takes_units());
    let first = open
        .clone()
        .select_only()
        .column(stay::Column::Reservation)
        .order_by_asc(stay::Column::CheckIn)
        .order_by_asc(stay::Column::Reservation)
        .limit(limit);
    Ok(OpenStays { count: open.count(&**tx).await?, first: first.into_tuple().all(&**tx).await? })
}

/// The blocked units of these rooms on these nights, by room.
pub async fn blocked(
    connection: &impl ConnectionTrait,
    rooms: &[Uuid],
    nights: Nights,
) -> Result<HashMap<Uuid, Blocked>, Error> {
    let rows = blocked_night::Entity::find()
        .filter(blocked_night::Column::Room.is_in(rooms.iter().copied()))
        .filter(blocked_night::Column::Night.gte(nights.first().to_string()))
        .filter(blocked_night::Column::Night.lt(nights.end().to_string()))
        .all(connection)
        .await?;
    let mut blocked: HashMap<Uuid, Blocked> = HashMap::new();
    for row in rows {
        let reading = Reading("rooms", row.room);
        let (night, units) = (reading.text("date", &row.night)?, reading.count("number of units", row.units)?);
        blocked.entry(row.room).or_default().insert(night, units);
    }
    Ok(blocked)
}

/// Writes the blocked units of a room on each of these nights. The caller must hold the room's lock.
pub async fn block(tx: &Tx, room: Uuid, nights: Nights, blocked: &[(Date, u16)]) -> Result<(), Error> {
    blocked_night::Entity::delete_many()
        .filter(blocked_night::Column::Room.eq(room))
        .filter(blocked_night::Column::Night.gte(nights.first().to_string()))
        .filter(blocked_night::Column::Night.lt(nights.end().to_string()))
        .exec(&**tx)
        .await?;
    let rows: Vec<_> = blocked
        .iter()
        .filter(|(_, units)| *units > 0)
        .map(|(night, units)| blocked_night::ActiveModel {
            room: Set(room),
            night: Set(night.to_string()),
            units: Set((*units).into()),
        })
        .collect();
    if !rows.is_empty() {
        blocked_night::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

fn takes_units() -> sea_orm::sea_query::Expr {
    stay::Column::Occupancy.is_in([Occupancy::Held.name(), Occupancy::Charged.name()])
}

impl TryFrom<stay::Model> for Heard {
    type Error = Error;

    fn try_from(row: stay::Model) -> Result<Self, Error> {
        let reading = Reading("reservations", row.reservation);
        let nights = Nights::new(reading.text("date", &row.check_in)?, reading.text("date", &row.check_out)?);
        let stay = Stay {
            nights: reading.some("stay", nights)?,
            units: reading.count("number of units", row.units)?,
            occupancy: reading.text("occupancy", &row.occupancy)?,
        };
        Ok(Self { reservation: row.reservation, version: row.version, room: row.room, stay })
    }
}
