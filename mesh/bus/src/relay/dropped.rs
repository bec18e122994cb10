//! Publishes events again that the stream was made to drop. Our stream drops nothing by itself, but an operator may limit or empty it;
//! then its oldest events go, and a consumer that had not handled them would skip the gap silently.
//!
//! 1. The relay finds the first position of the stream. Its own events published before that position are missing.
//! 2. If the stream has no limits, all of them are published again, at the end of the stream. The inboxes skip the known ones.
//! 3. If the stream has limits, republished events would push out others, which would then be republished, and so on. So only the
//!    events that were missing when the limits were first noticed are published once more, piece by piece, so that consumers can handle
//!    each piece before it is dropped.
//! 4. What is dropped after that is logged once, and published again when the limits are removed.

use std::time::Duration;

use mesh_foundation::{error::Error, telemetry::metrics};
use mesh_store::{
    db::Database,
    store::entity::{
        outbox::{Column, Entity},
        place,
    },
};
use opentelemetry::KeyValue;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::Instant;
use uuid::Uuid;

use super::{RelayError, loss::unpublish};
use crate::bus::{Bus, Position};

/// A piece is this fraction of what a limited stream holds, because other contexts republish too.
const PIECE: u64 = 8;
/// Between two pieces: time for consumers to handle the last one.
const PAUSE: Duration = Duration::from_secs(1);
/// The name of the row with the position up to which the drops of a limited stream are republished. No consumer has this name.
const REFILLED: &str = "$refilled";

/// The state of republishing.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// When the next piece is due, if there is one.
    next: Option<Instant>,
    /// Whether it was logged that the stream cannot hold what it has dropped.
    told: bool,
}

impl Dropped {
    /// Whether the next piece is due.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    /// Marks the events that the stream has dropped, or a piece of them, as unpublished.
    pub(super) async fn refill(
        &mut self,
        database: &Database,
        bus: &dyn Bus,
        labels: &[KeyValue; 1],
    ) -> Result<(), RelayError> {
        self.next = None;
        let extent = bus.extent().await?;
        let last = extent.first - 1;
        if !extent.is_limited {
            self.told = false;
            forget_refilled(database).await?;
        }
        if !is_any(database, last).await? {
            return Ok(());
        }
        if !extent.is_limited {
            let dropped = unpublish(database, 0, last).await?;
            count(dropped, true, labels);
            tracing::error!(dropped, first = extent.first, "the stream was made to drop events; publishing them again");
            return Ok(());
        }
        let refilled = match refilled(database).await? {
            Some(position) => position,
            None => {
                keep_refilled(database, last).await?;
                last
            }
        };
        let piece = (extent.messages / PIECE).max(1);
        match end_of_piece(database, refilled.min(last), piece).await? {
            Some(end) => {
                let dropped = unpublish(database, 0, end).await?;
                count(dropped, true, labels);
                self.next = Some(Instant::now() + PAUSE);
                tracing::error!(
                    dropped,
                    first = extent.first,
                    "the stream is limited and has dropped events; publishing them once more: remove its limits"
                );
            }
            None if !self.told => {
                self.told = true;
                let dropped = published_up_to(last).count(database.read()).await.map_err(Error::from)?;
                count(dropped, false, labels);
                tracing::error!(
                    dropped,
                    first = extent.first,
                    "the stream is limited and cannot hold what it has dropped; who has not heard it does not hear it until its limits are \
                     taken away"
                );
            }
            None => {}
        }
        Ok(())
    }
}

fn count(dropped: u64, refilled: bool, labels: &[KeyValue; 1]) {
    let [context] = labels;
    metrics().relay_dropped.add(dropped, &[context.clone(), KeyValue::new("refilled", refilled)]);
}

/// The events that are published at or before that position.
fn published_up_to(last: Position) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::StreamPosition.lte(last))
}

async fn is_any(database: &Database, last: Position) -> Result<bool, Error> {
    Ok(end_of_piece(database, last, 1).await?.is_some())
}

/// The position of the last of the oldest `piece` events that are published at or before `last`; none if there is no such event.
async fn end_of_piece(database: &Database, last: Position, piece: u64) -> Result<Option<Position>, Error> {
    let oldest = published_up_to(last).select_only().column(Column::StreamPosition);
    let oldest = oldest.order_by_asc(Column::StreamPosition);
    let at: Option<Position> = oldest.clone().offset(piece - 1).limit(1).into_tuple().one(database.read()).await?;
    match at {
        Some(position) => Ok(Some(position)),
        // There are fewer than that.
        None => Ok(oldest.limit(1).into_tuple::<Position>().one(database.read()).await?.map(|_| last)),
    }
}

async fn refilled(database: &Database) -> Result<Option<Position>, Error> {
    let kept = place::Entity::find_by_id(REFILLED).one(database.read()).await?;
    Ok(kept.map(|kept| kept.position))
}

async fn keep_refilled(database: &Database, position: Position) -> Result<(), Error> {
    database
        .transact("keep refilled", |tx| async move {
            let row = place::ActiveModel {
                consumer: Set(REFILLED.to_owned()),
                position: Set(position),
                event_id: Set(Uuid::nil()),
            };
            // Another relay may have noticed and recorded the same first.
            tx.insert_new(row).await?;
            Ok(())
        })
        .await
}

pub(super) async fn forget_refilled(database: &Database) -> Result<(), Error> {
    if refilled(database).await?.is_none() {
        return Ok(());
    }
    database
        .transact("forget refilled", |tx| async move {
            place::Entity::delete_by_id(REFILLED).exec(&*tx).await?;
            Ok(())
        })
        .await
}
