//! The auditor's view of this context: every reservation, night and known room. Read only.

use mesh::{
    Database, Error,
    checkout::{CaseEntry, store::page},
    money::Money,
};
use sea_orm::EntityTrait;
use uuid::Uuid;

pub use crate::store::entity::night::Model as NightRow;
use crate::{
    domain::Reservation,
    store::{
        self,
        entity::{night, room},
    },
};

/// How many reservations are read at a time.
const PAGE: u64 = 1_000;

/// What a reservation holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The reservation.
    pub name: String,
    /// The room.
    pub room: Uuid,
    /// Each night, as `2027-05-01`.
    pub nights: Vec<String>,
    /// How many units.
    pub units: u32,
    /// What the room is called, for people.
    pub title: String,
}

/// A room as this context knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub host: String,
    /// The newest known version.
    pub version: i64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// How many units are written down.
    pub units: i32,
    /// How many units its context announced, from which it is sold.
    pub units_told: u32,
    /// What one of them is sold for a night.
    pub nightly_rate: Money,
}

/// Every reservation as the lifecycle has it.
pub async fn cases(database: Database) -> Result<Vec<CaseEntry>, Error> {
    every(&database, |case| CaseEntry::of(&case.record)).await
}

/// What every reservation holds, or held.
pub async fn reserved(database: &Database) -> Result<Vec<Reserved>, Error> {
    every(database, held_by).await
}

async fn every<T>(database: &Database, read: fn(&Reservation) -> T) -> Result<Vec<T>, Error> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = page::<store::Reservations>(database.read(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = Some(last.id);
        entries.extend(page.iter().map(read));
    }
}

/// Every night of which anything was ever taken or blocked.
pub async fn nights(database: &Database) -> Result<Vec<NightRow>, Error> {
    Ok(night::Entity::find().all(database.read()).await?)
}

/// Every room, as it was told last.
pub async fn rooms(database: &Database) -> Result<Vec<RoomRow>, Error> {
    let rows = room::Entity::find().all(database.read()).await?;
    rows.into_iter()
        .map(|row| {
            let offer = store::offer(&row)?;
            Ok(RoomRow {
                id: row.id,
                host: offer.host,
                version: row.version,
                deleted: row.deleted,
                units: row.units,
                units_told: offer.units,
                nightly_rate: offer.nightly_rate,
            })
        })
        .collect()
}

fn held_by(case: &Reservation) -> Reserved {
    let snapshot = &case.room_snapshot;
    Reserved {
        name: case.record.name.clone(),
        room: case.room,
        nights: case.stay.nights().map(|night| night.to_string()).collect(),
        units: case.stay.units,
        title: if snapshot.display_name.is_empty() { snapshot.number.clone() } else { snapshot.display_name.clone() },
    }
}
