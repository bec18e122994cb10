//! How far a consumer has come, kept with its effects.
//!
//! The bus keeps a consumer's place, and a stream can lose what was stored last without its consumers losing their places: what is
//! then stored where they have been already is never delivered to them. So the newest event that was handled is kept here too, and
//! when the stream does not hold it any more, the bus has to forget the consumer. It hears everything once more; the inbox passes over
//! what was handled.

use std::sync::atomic::Ordering;

use mesh_foundation::{error::Error, telemetry::metrics};
use mesh_store::{
    db::Tx,
    store::entity::place::{ActiveModel, Column, Entity},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Consumer, Heard};
use crate::bus::{BusError, Position};

impl Consumer {
    /// Notes the newest of the events that are handled in this transaction. The last statement of the transaction: all members of the
    /// consumer write this row, and none has to wait longer than for a commit.
    pub(super) async fn note_place(&self, tx: &Tx, heard: &[Heard]) -> Result<(), Error> {
        let Some(newest) = heard.iter().max_by_key(|heard| heard.handle) else { return Ok(()) };
        let position = Position::try_from(newest.handle).unwrap_or(Position::MAX);
        let moved = Entity::update_many()
            .col_expr(Column::Position, Expr::value(position))
            .col_expr(Column::EventId, Expr::value(newest.event.key()))
            .filter(Column::Consumer.eq(&self.name))
            .filter(Column::Position.lt(position))
            .exec(&**tx)
            .await?;
        if moved.rows_affected == 0 {
            // The first, or not the newest; then the row is there, and stays.
            let first = ActiveModel {
                consumer: Set(self.name.clone()),
                position: Set(position),
                event_id: Set(newest.event.key()),
            };
            tx.insert_new(first).await?;
        }
        Ok(())
    }

    /// Whether the stream still holds the newest event that this consumer has handled.
    pub(super) async fn is_in_place(&self) -> Result<bool, BusError> {
        let place = Entity::find_by_id(self.name.clone()).one(self.database.read()).await;
        match place.map_err(|error| BusError::new("find the place", Error::from(error)))? {
            Some(place) => {
                self.tell_gap(place.position).await?;
                Ok(!self.bus.has_lost(place.position, place.event_id).await?)
            }
            None => Ok(true),
        }
    }

    /// Says that the stream has dropped what is behind the newest event that was handled, once for each time that more of it is gone.
    /// Whether it was for this consumer nobody can tell any more; the outboxes it came from say it once more.
    async fn tell_gap(&self, place: Position) -> Result<(), BusError> {
        let first = self.bus.extent().await?.first;
        if first > place + 1 && self.gap.swap(first, Ordering::Relaxed) < first {
            metrics().consumer_gaps.add(1, &self.labels);
            tracing::warn!(
                consumer = %self.name,
                handled = place,
                first,
                "the stream was limited or emptied: it has dropped events that this consumer may not have heard; they are published again"
            );
        }
        Ok(())
    }

    /// Has the bus forget this consumer if the stream has lost what was handled.
    pub(super) async fn find_place(&self) -> Result<(), BusError> {
        if self.is_in_place().await? {
            return Ok(());
        }
        tracing::warn!(consumer = %self.name, "the stream has lost what was handled; everything is heard once more");
        // The bus first: cut off in between, this is done again.
        self.bus.forget(&self.name).await?;
        let forget = self.database.transact("forget the place", |tx| async move {
            Entity::delete_by_id(self.name.clone()).exec(&*tx).await?;
            Ok(())
        });
        forget.await.map_err(|error| BusError::new("forget the place", error))
    }
}
