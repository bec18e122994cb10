//! The auditor's view of this read model: every booking, room and event, to be compared with their sources. Read only.

use std::collections::HashSet;

use mesh::{Database, Error, fields};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

pub use crate::store::entity::{booking::Model as PartyRow, case::Model as CaseRow, room::Model as RoomRow};
use crate::{
    store::{
        entity::{room, timeline},
        read,
    },
    view,
};

/// How many bookings are read at a time.
const PAGE: u64 = 1_000;

/// A booking as one party sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// The case: `reservations/…`.
    pub name: String,
    /// Who sees it, and as whom.
    pub party: PartyRow,
    /// What has been heard of the case.
    pub case: CaseRow,
}

/// Every room, deleted ones too.
pub async fn rooms(database: &Database) -> Result<Vec<RoomRow>, Error> {
    Ok(room::Entity::find().all(database.read()).await?)
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
        for (party, case) in page {
            believed.push(BookingRow { name: fields::name(view::collection(&case)?, case.case_id), party, case });
        }
    }
}
