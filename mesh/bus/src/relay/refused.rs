//! Events that the bus refuses while it accepts others: too large, or on a route on which we may not publish.
//!
//! They are committed, so they are kept and retried: an operator may raise a limit or grant a permission. Each is deferred separately,
//! for as long as it has been waiting already, and the others are published without it, those of its batch at once. No code relies on
//! the order of events.

use mesh_foundation::{error::Error, event::Event, telemetry::metrics};
use mesh_store::store::entity::outbox::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{CaseStatement, Expr},
};

use super::{Relay, RelayError};
use crate::bus::Position;

/// The shortest and the longest wait; the longest is how late an event may be after the bus would accept it.
const FIRST_WAIT_MICROS: i64 = 1_000_000;
const MAX_WAIT_MICROS: i64 = 300_000_000;

impl Relay {
    /// Publishes the claimed `events`. Those that the bus refuses are deferred and removed from `events`.
    pub(super) async fn publish_what_is_taken(
        &mut self,
        events: &mut Vec<Event>,
        until: i64,
    ) -> Result<Vec<Position>, RelayError> {
        // A broker may name the events of one refused route at a time. Each attempt has fewer events.
        while !events.is_empty() {
            let error = match self.publish(events).await {
                Err(RelayError::Bus(error)) => error,
                outcome => return outcome,
            };
            let (refused, others): (Vec<_>, Vec<_>) =
                events.drain(..).partition(|event| error.refused.contains(&event.id));
            *events = others;
            let Some(first) = refused.first() else { return Err(error.into()) };
            tracing::warn!(
                refused = refused.len(),
                first = %first.id,
                route = first.route,
                error = &error as &dyn std::error::Error,
                "the bus refused events; will retry them later, the others go on"
            );
            self.put_off(&refused, until).await?;
        }
        Ok(Vec::new())
    }

    /// Defers claimed events, each until its next attempt.
    async fn put_off(&self, refused: &[Event], until: i64) -> Result<(), Error> {
        let now = self.clock.now().as_microsecond();
        metrics().relay_refused.add(refused.len() as u64, &self.labels);
        self.database
            .transact("put off", |tx| async move {
                let next = refused.iter().fold(CaseStatement::new(), |case, event| {
                    case.case(Column::Id.eq(event.id), Expr::value(now + wait(now - event.time.as_microsecond())))
                });
                Entity::update_many()
                    .col_expr(Column::NextAttemptTime, next.into())
                    .filter(Column::Id.is_in(refused.iter().map(|event| event.id)))
                    .filter(Column::NextAttemptTime.eq(until))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }
}

/// The next wait of an event that has waited for `waited` microseconds. Its total wait doubles each time.
fn wait(waited: i64) -> i64 {
    waited.clamp(FIRST_WAIT_MICROS, MAX_WAIT_MICROS)
}
