//! The auditor's view of this context: rooms, blocked nights and stays. Read only.

use mesh::{Database, Error};
use sea_orm::EntityTrait;

use crate::store::entity::{blocked_night, room, stay};
pub use crate::{
    domain::{Details, Nights, Occupancy, Room, Stay},
    store::{entity::blocked_night::Model as BlockedRow, nights::Heard},
};

/// Every room, deleted ones too.
pub async fn rooms(database: &Database) -> Result<Vec<Room>, Error> {
    let rows = room::Entity::find().all(database.read()).await?;
    rows.into_iter().map(Room::try_from).collect()
}

/// Every night with blocked units.
pub async fn blocked(database: &Database) -> Result<Vec<BlockedRow>, Error> {
    Ok(blocked_night::Entity::find().all(database.read()).await?)
}

/// Every known stay, released ones too.
pub async fn stays(database: &Database) -> Result<Vec<Heard>, Error> {
    let rows = stay::Entity::find().all(database.read()).await?;
    rows.into_iter().map(Heard::try_from).collect()
}
