//! The auditor's view of this context: rooms, blocked nights and stays. Read only.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use mesh::{Database, Error, fields::name, money::Money, store::Reading};
use sea_orm::EntityTrait;
use uuid::Uuid;

pub use crate::domain::Occupancy;
use crate::{
    domain::Room,
    store::{entity, nights::parse_stay},
};

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// `rooms/…`.
    pub name: String,
    /// `users/…`.
    pub host: String,
    /// The units that there are to sell per night.
    pub units: u16,
    /// What one of them costs a night.
    pub nightly_rate: Money,
    /// The time zone in which its nights are counted.
    pub time_zone: TimeZone,
    /// When guests must have left.
    pub check_out_time: Time,
    /// The room's version.
    pub version: i64,
    /// When it was deleted; none while it is active.
    pub delete_time: Option<Timestamp>,
}

/// Units of a room that its host has blocked on a night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedRow {
    /// The room.
    pub room: Uuid,
    /// The night, as `2027-05-01`.
    pub night: String,
    /// How many.
    pub units: i32,
}

/// A stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StayRow {
    /// `reservations/…`.
    pub reservation: String,
    /// `rooms/…`.
    pub room: String,
    /// The date on which the first night begins.
    pub check_in_date: Date,
    /// The date on which the last night ends.
    pub check_out_date: Date,
    /// Its units on each night.
    pub units: u16,
    /// What it does to them.
    pub occupancy: Occupancy,
    /// The newest known version of the reservation.
    pub version: i64,
}

/// Every room, deleted ones too.
pub async fn rooms(database: &Database) -> Result<Vec<RoomRow>, Error> {
    let rows = entity::room::Entity::find().all(database.read()).await?;
    rows.into_iter()
        .map(|row| {
            let room = Room::try_from(row)?;
            Ok(RoomRow {
                name: room.name(),
                host: room.host,
                units: room.details.units,
                nightly_rate: room.details.nightly_rate,
                time_zone: room.details.time_zone,
                check_out_time: room.details.check_out_time,
                version: room.version,
                delete_time: room.delete_time,
            })
        })
        .collect()
}

/// Every night with blocked units.
pub async fn blocked(database: &Database) -> Result<Vec<BlockedRow>, Error> {
    let rows = entity::blocked_night::Entity::find().all(database.read()).await?;
    Ok(rows.into_iter().map(|row| BlockedRow { room: row.room, night: row.night, units: row.units }).collect())
}

/// Every known stay, released ones too.
pub async fn stays(database: &Database) -> Result<Vec<StayRow>, Error> {
    let rows = entity::stay::Entity::find().all(database.read()).await?;
    rows.into_iter()
        .map(|row| {
            let stay = parse_stay(
                Reading("reservations", row.reservation),
                &row.check_in,
                &row.check_out,
                row.units,
                &row.occupancy,
            )?;
            Ok(StayRow {
                reservation: name("reservations", row.reservation),
                room: name("rooms", row.room),
                check_in_date: stay.nights.first(),
                check_out_date: stay.nights.end(),
                units: stay.units,
                occupancy: stay.occupancy,
                version: row.version,
            })
        })
        .collect()
}
