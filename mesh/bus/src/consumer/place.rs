//! The consumer's place, stored with its effects.
//!
//! The bus keeps each consumer's place. If a stream loses its newest events, new events are stored at the same positions, and a
//! consumer whose place is behind those positions would never get them. Therefore:
//!
//! 1. The newest handled event is also stored here, in the transaction that handles it.
//! 2. The consumer checks from time to time whether the stream still holds that event.
//! 3. If not, it has the bus forget its place, and consumes everything once more. The inbox skips the events that were handled.

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
    /// Records the newest of the events that are handled in this transaction. It is the last statement of the transaction: all members of
    /// the consumer write this row, so that each waits for another's commit only.
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
            // Either there is no row yet, or it has a newer event and stays.
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

    /// Logs that the stream has dropped events behind the newest handled one; once each time that more is gone. It cannot be known whether
    /// they were for this consumer; the relays of their outboxes publish them again.
    async fn tell_gap(&self, place: Position) -> Result<(), BusError> {
        let first = self.bus.extent().await?.first;
        if first > place + 1 && self.gap.swap(first, Ordering::Relaxed) < first {
            metrics().consumer_gaps.add(1, &self.labels);
            tracing::warn!(
                consumer = %self.name,
                handled = place,
                first,
                "the stream was limited or emptied and has dropped events; relays will publish them again"
            );
        }
        Ok(())
    }

    /// If the stream has lost events that this consumer handled, forgets its place: at the bus as well, unless the bus has taken the
    /// consumer back together with the stream.
    pub(super) async fn find_place(&self) -> Result<(), BusError> {
        if self.is_in_place().await? {
            return Ok(());
        }
        if self.bus.keeps_places_with_stream() {
            tracing::warn!(consumer = %self.name, "the bus has lost its newest events; relays will publish them again");
        } else {
            tracing::warn!(consumer = %self.name, "the stream has lost events that were handled; consuming everything once more");
            // The bus first: if the process dies in between, both steps are repeated.
            self.bus.forget(&self.name).await?;
        }
        let forget = self.database.transact("forget the place", |tx| async move {
            Entity::delete_by_id(self.name.clone()).exec(&*tx).await?;
            Ok(())
        });
        forget.await.map_err(|error| BusError::new("forget the place", error))
    }
}
