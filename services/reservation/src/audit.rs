//! What the auditor reads here: every reservation, every night and every room that is known, read only.

use mesh::{Database, Error, checkout::State, money::Money};
use uuid::Uuid;

pub use crate::store::NightRow;
use crate::{domain::Reservation, store};

/// How many reservations are read at a time.
const PAGE: u64 = 1_000;

/// A reservation as the audit needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Its version.
    pub version: i64,
    /// Who pays.
    pub guest: String,
    /// Who is paid.
    pub host: String,
    /// The room.
    pub room: Uuid,
    /// Each night, as `2027-05-01`.
    pub nights: Vec<String>,
    /// How many units.
    pub units: u32,
    /// What the room is called, for people.
    pub title: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// In this currency.
    pub currency: &'static str,
    /// What its cancellation gives back, in minor units.
    pub refund_minor: Option<i64>,
    /// The payment of its newest attempt.
    pub payment: Option<String>,
    /// Every payment it may ever have asked for.
    pub payments: Vec<String>,
    /// Whether it was ever confirmed.
    pub was_confirmed: bool,
    /// When its hold ends, in microseconds.
    pub hold_expire_micros: i64,
    /// When it last changed, in microseconds.
    pub update_micros: i64,
}

/// A room as this context believes it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub host: String,
    /// The newest version that was heard of.
    pub version: i64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// How many units are written down.
    pub units: i32,
    /// How many units its context told of: what is sold.
    pub units_told: u32,
    /// What one of them is sold for a night.
    pub nightly_rate: Money,
}

/// Every reservation.
pub async fn reservations(database: &Database) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = store::Reservations::page(database.read(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = Some(last.id);
        entries.extend(page.iter().map(entry));
    }
}

/// Every night of which anything was ever taken or blocked.
pub async fn nights(database: &Database) -> Result<Vec<NightRow>, Error> {
    store::all_nights(database.read()).await
}

/// Every room, as it was told last.
pub async fn rooms(database: &Database) -> Result<Vec<RoomRow>, Error> {
    let rooms = store::all_rooms(database.read()).await?;
    Ok(rooms
        .into_iter()
        .map(|room| RoomRow {
            id: room.id,
            host: room.offer.host,
            version: room.version,
            deleted: room.deleted,
            units: room.units,
            units_told: room.offer.units,
            nightly_rate: room.offer.nightly_rate,
        })
        .collect())
}

fn entry(case: &Reservation) -> Entry {
    let (record, snapshot) = (&case.record, &case.room_snapshot);
    Entry {
        name: record.name.clone(),
        state: record.state(),
        version: record.version,
        guest: record.payer.clone(),
        host: record.payee.clone(),
        room: case.room,
        nights: case.stay.nights().map(|night| night.to_string()).collect(),
        units: case.stay.units,
        title: if snapshot.display_name.is_empty() { snapshot.number.clone() } else { snapshot.display_name.clone() },
        total_minor: record.total.minor(),
        currency: record.total.code(),
        refund_minor: record.refund_amount.map(mesh::money::Money::minor),
        payment: record.payment(),
        payments: (1..=record.standing.attempt)
            .map(|attempt| mesh::checkout::payment_name(&record.name, attempt))
            .collect(),
        was_confirmed: record.confirm_time.is_some(),
        hold_expire_micros: record.hold_expire_time.as_microsecond(),
        update_micros: record.update_time.as_microsecond(),
    }
}
