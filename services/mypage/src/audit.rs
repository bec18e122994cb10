//! The auditor's view of this read model: every booking, room and event, to be compared with their sources. Read only.

use std::collections::HashSet;

use mesh::{Database, Error, fields};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use crate::{
    store::{
        entity::{room, timeline},
        read::{self, Row},
    },
    view,
};

/// How many bookings are read at a time.
const PAGE: u64 = 1_000;

/// A booking as one party sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// The case: `reservations/…`.
    pub case: String,
    /// The party: `users/…`.
    pub user: String,
    /// Whether the party booked it.
    pub is_guest: bool,
    /// Whether the party provides it.
    pub is_host: bool,
    /// The other party: `users/…`.
    pub counterparty: String,
    /// The room of a stay.
    pub room: Option<Uuid>,
    /// What it is about, for people.
    pub title: String,
    /// The first day, as `2027-05-01`.
    pub start_date: String,
    /// The last day.
    pub end_date: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// What it still waits for: `UNDECIDED`, `AGREED` or `OFF`.
    pub course: String,
    /// The owner's word.
    pub state: String,
    /// The owner's version.
    pub version: i64,
    /// Payment's word; empty if payment has told of none.
    pub payment_state: String,
    /// What is given back, in minor units.
    pub refunded_minor: i64,
}

/// A room as its host's page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its id.
    pub id: Uuid,
    /// Who lets it.
    pub host: String,
    /// How many there are.
    pub units: i32,
    /// The price of a night, in minor units.
    pub rate_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The room's version.
    pub version: i64,
}

/// Every room, deleted ones too.
pub async fn rooms(database: &Database) -> Result<Vec<RoomRow>, Error> {
    let rows = room::Entity::find().all(database.read()).await?;
    Ok(rows
        .into_iter()
        .map(|row| RoomRow {
            id: row.room_id,
            host: row.host,
            units: row.units,
            rate_minor: row.rate_minor,
            currency: row.currency,
            deleted: row.deleted,
            version: row.version,
        })
        .collect())
}

/// Every event that is in a timeline, or may be asked for as a cause.
pub async fn heard(database: &Database) -> Result<HashSet<Uuid>, Error> {
    let events: Vec<Uuid> = timeline::Entity::find()
        .select_only()
        .column(timeline::Column::EventId)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(events.into_iter().collect())
}

/// Every booking, by case and party.
pub async fn bookings(database: &Database) -> Result<Vec<BookingRow>, Error> {
    let mut believed = Vec::new();
    let mut last = None;
    loop {
        let page = read::all_bookings(database, last.take(), PAGE).await?;
        let Some((booking, _)) = page.last() else { return Ok(believed) };
        last = Some((booking.case_id, booking.user_name.clone()));
        for row in page {
            believed.push(believe(row)?);
        }
    }
}

fn believe((booking, case): Row) -> Result<BookingRow, Error> {
    Ok(BookingRow {
        case: fields::name(view::collection(&case)?, case.case_id),
        user: booking.user_name,
        is_guest: booking.is_guest,
        is_host: booking.is_host,
        counterparty: booking.counterparty,
        room: case.room_id,
        title: case.title,
        start_date: case.start_date,
        end_date: case.end_date,
        total_minor: case.total_minor,
        currency: case.currency,
        course: case.course,
        state: case.state,
        version: case.version,
        payment_state: case.payment_state,
        refunded_minor: case.refunded_minor,
    })
}
