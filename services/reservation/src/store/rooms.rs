//! Rooms from events: the newest version wins, in any order of arrival.

use contracts::room::v1::Room;
use mesh::{Error, Tx, db::Kept, fields, page, store::int};
use prost::Message;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, SelectStatement},
};
use uuid::Uuid;

use super::entity::room::{ActiveModel, Column, Entity, Model};
use crate::{convert, domain::RoomOffer};

/// Stores a room, unless a newer version is stored.
pub async fn learn(tx: &Tx, resource: &Room, cancel_stays: bool) -> Result<Kept, Error> {
    let Some(offer) = convert::room_offer(resource) else {
        return Err(Error::Internal(format!("{} is incomplete and cannot be sold", resource.name)));
    };
    let row = ActiveModel {
        id: Set(offer.id),
        version: Set(offer.version),
        deleted: Set(offer.deleted),
        cancel_stays: Set(cancel_stays),
        units: Set(int(offer.units)?),
        resource: Set(resource.encode_to_vec()),
    };
    let kept = tx.keep_newest(row, Column::Version.lt(offer.version)).await?;
    if kept == Kept::Nothing && cancel_stays {
        ask_to_cancel_stays(tx, &offer).await?;
    }
    Ok(kept)
}

/// A call may show that a room is deleted before the event arrives, but only the event says what happens to its stays. A repeated event
/// costs one query that finds none to cancel.
async fn ask_to_cancel_stays(tx: &Tx, offer: &RoomOffer) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::CancelStays, Expr::value(true))
        .filter(Column::Id.eq(offer.id))
        .filter(Column::Deleted.eq(true))
        .filter(Column::Version.lte(offer.version))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// The room, locked until the transaction ends.
pub async fn find(tx: &Tx, id: Uuid) -> Result<Option<RoomOffer>, Error> {
    Entity::find_by_id(id).lock_exclusive().one(&**tx).await?.as_ref().map(offer).transpose()
}

/// The room as it was last committed.
pub async fn read(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<RoomOffer>, Error> {
    Entity::find_by_id(id).one(connection).await?.as_ref().map(offer).transpose()
}

/// The version in which a room was last heard of.
pub async fn version(tx: &Tx, id: Uuid) -> Result<Option<i64>, Error> {
    Ok(Entity::find_by_id(id).select_only().column(Column::Version).into_tuple().one(&**tx).await?)
}

/// A row if the room is in that version, which is that of a room that is on offer.
pub(super) fn in_version(id: Uuid, version: Option<i64>) -> SelectStatement {
    let room = Entity::find_by_id(id).filter(Column::Version.eq(version));
    room.select_only().expr(Expr::val(1)).into_query()
}

/// Up to `limit` rooms whose deletion asks for their stays to be cancelled, in the order of their ids, from above `after` on.
pub async fn deleted_with_stays(
    connection: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, Error> {
    let query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Deleted.eq(true))
        .filter(Column::CancelStays.eq(true));
    let query = page::after(query, &[Column::Id], &Order::Asc, after, limit);
    Ok(query.into_tuple().all(connection).await?)
}

/// Records that all stays of a deleted room are cancelled.
pub async fn stays_cancelled(tx: &Tx, id: Uuid) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::CancelStays, Expr::value(false))
        .filter(Column::Id.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// The room in a row, as its context last told it.
pub fn offer(row: &Model) -> Result<RoomOffer, Error> {
    Room::decode(row.resource.as_slice()).ok().and_then(|room| convert::room_offer(&room)).ok_or_else(|| {
        Error::Internal(format!("{} is stored incompletely and cannot be sold", fields::name("rooms", row.id)))
    })
}
