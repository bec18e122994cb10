//! What the stream was made to drop. Ours drops nothing by itself; but an operator may limit it, or empty it, and what was stored first
//! goes then. A consumer that had not heard it would pass over the gap without a word.
//!
//! So a relay looks where the stream begins. What it has published before that is published once more, at the end of the stream, and
//! the inboxes pass over what they know. If the stream has no limits, that is all. If it has, what is published again drives out what is
//! there, and would come round again and again. Then only what was missing when the limits were first noticed is published once more,
//! piece by piece, so that consumers hear it in passing; what goes after that is told once, and published again when the limits are gone.

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

/// Which part of what a limited stream holds is published again at a time: other contexts have lost as much.
const PIECE: u64 = 8;
/// Between two pieces: time for consumers to hear the last one.
const PAUSE: Duration = Duration::from_secs(1);
/// Under which name it is kept up to which position is published again what a limited stream has dropped. No consumer has it.
const REFILLED: &str = "$refilled";

/// What a relay does about it.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// When the next piece is due, if there is one.
    next: Option<Instant>,
    /// Whether it was told that the stream cannot hold what it has dropped.
    told: bool,
}

impl Dropped {
    /// Whether there is more to be published again, and it is time.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    /// Makes unpublished what the stream has dropped, or a piece of it.
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
            tracing::error!(
                dropped,
                first = extent.first,
                "the stream was made to drop events; they are published again"
            );
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
                    "the stream is limited and has dropped events; they are published once more: take its limits away"
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

/// What is published at or before that position.
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
            // Another relay may have been faster, and has noticed the same.
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
