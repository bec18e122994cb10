//! Finds acknowledged events that the stream has lost, and marks them as unpublished.
//!
//! A stream loses its newest events (a disk that had not synced, a restored older copy, a leader elected without them) or all of them
//! (deleted and created again), never some in the middle, which JetStream is told not to delete. Its oldest events go only if an
//! operator [limits or empties](super::dropped) the stream. Therefore:
//!
//! 1. Look up our newest published event. If it is still at its position, nothing is lost.
//! 2. Otherwise find the newest event that is still there, by a binary search over our own events.
//! 3. Mark everything behind it as unpublished. Events that other contexts have stored in the meantime are at the same positions under
//!    other ids.

use mesh_foundation::{error::Error, event::key};
use mesh_store::{
    db::Database,
    store::entity::outbox::{Column, Entity},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use super::RelayError;
use crate::bus::{Bus, Position};

/// Rows that are marked as unpublished in one commit.
const CHUNK: u64 = 1_000;

/// The state of the stream compared with the events that are marked as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Our newest event is at its position, and so are all from the stream's first position on.
    Intact,
    /// It is limited, and has dropped all our events, the newest included.
    Dropped,
    /// It has lost events, or was emptied. It may be a new stream.
    Lost,
}

/// Looks up the newest event that is marked as published.
pub(super) async fn look(database: &Database, bus: &dyn Bus) -> Result<Stream, RelayError> {
    match newest(database, Position::MAX).await? {
        Some((position, event)) if !bus.holds(position, event).await? => {
            let extent = bus.extent().await?;
            Ok(if extent.is_limited && position < extent.first { Stream::Dropped } else { Stream::Lost })
        }
        _ => Ok(Stream::Intact),
    }
}

/// Marks the events that the stream has lost as unpublished, and returns how many there are.
pub(super) async fn recover(database: &Database, bus: &dyn Bus) -> Result<u64, RelayError> {
    let Some((position, event)) = newest(database, Position::MAX).await? else { return Ok(0) };
    if !bus.has_lost(position, event).await? {
        return Ok(0);
    }
    end_claims(database).await?;
    // Drops before the stream's first position are handled elsewhere (see `dropped`).
    let kept = last_kept(database, bus, bus.extent().await?.first - 1, position).await?;
    Ok(unpublish(database, kept, position).await?)
}

/// Marks every published event as unpublished, and returns how many there were.
pub(super) async fn unpublish_all(database: &Database) -> Result<u64, Error> {
    let last = newest(database, Position::MAX).await?;
    end_claims(database).await?;
    match last {
        Some((last, _)) => unpublish(database, 0, last).await,
        None => Ok(0),
    }
}

/// The last position behind `kept` up to which all our events are still held, given that the one at `lost` is not.
async fn last_kept(
    database: &Database,
    bus: &dyn Bus,
    mut kept: Position,
    mut lost: Position,
) -> Result<Position, RelayError> {
    while lost - kept > 1 {
        let middle = kept + (lost - kept) / 2;
        match newest(database, middle).await? {
            Some((position, event)) if position > kept && !bus.holds(position, event).await? => lost = position,
            _ => kept = middle,
        }
    }
    Ok(kept)
}

/// Where our newest published event at or before `position` is, and its key.
async fn newest(database: &Database, position: Position) -> Result<Option<(Position, Uuid)>, Error> {
    let row: Option<(Position, Uuid, String)> = Entity::find()
        .select_only()
        .columns([Column::StreamPosition, Column::Id, Column::Route])
        .filter(Column::StreamPosition.lte(position))
        .order_by_desc(Column::StreamPosition)
        .limit(1)
        .into_tuple()
        .one(database.read())
        .await?;
    Ok(row.map(|(position, id, route)| (position, key(&route, id))))
}

/// Ends every claim, so that a relay that has just published to the lost stream cannot mark its batch, and the batch of a relay that died
/// is released.
pub(super) async fn end_claims(database: &Database) -> Result<(), Error> {
    database
        .transact("end claims", |tx| async move {
            Entity::update_many()
                .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                .filter(Column::PublishTime.is_null())
                .filter(Column::NextAttemptTime.ne(0))
                .exec(&*tx)
                .await?;
            tx.wake_relay();
            Ok(())
        })
        .await
}

/// Marks the events behind `kept`, up to `last`, as unpublished. Visits each position once, because relays publish and mark events again
/// in the meantime, at new positions or, while the bus remembers the events, at the same ones.
pub(super) async fn unpublish(database: &Database, mut kept: Position, last: Position) -> Result<u64, Error> {
    let mut unpublished = 0;
    while let Some(end) = end_of_chunk(database, kept, last).await? {
        unpublished += database
            .transact("unpublish", |tx| async move {
                let changed = Entity::update_many()
                    .col_expr(Column::PublishTime, Expr::value(Option::<i64>::None))
                    .col_expr(Column::StreamPosition, Expr::value(Option::<i64>::None))
                    .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                    .filter(Column::StreamPosition.gt(kept))
                    .filter(Column::StreamPosition.lte(end))
                    .exec(&*tx)
                    .await?;
                tx.wake_relay();
                Ok(changed.rows_affected)
            })
            .await?;
        kept = end;
    }
    Ok(unpublished)
}

/// The position of the last of the next rows behind `kept`, up to `last`.
async fn end_of_chunk(database: &Database, kept: Position, last: Position) -> Result<Option<Position>, Error> {
    let positions: Vec<Position> = Entity::find()
        .select_only()
        .column(Column::StreamPosition)
        .filter(Column::StreamPosition.gt(kept))
        .filter(Column::StreamPosition.lte(last))
        .order_by_asc(Column::StreamPosition)
        .limit(CHUNK)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(positions.last().copied())
}
