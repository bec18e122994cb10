//! Events that the bus does not take, while it takes others: too large for it, or on a route on which we may not publish.
//!
//! They are committed, so they stay, and are tried again: somebody may raise a limit or grant a permission. Each waits by itself, as long
//! as it has been waiting already, so that the others get on: those of its batch at once. Nothing counts on their order.

use std::time::Duration;

use mesh_foundation::{error::Error, event::Event, telemetry::metrics};
use mesh_store::store::entity::outbox::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{CaseStatement, Expr},
};

use super::{Relay, RelayError};
use crate::bus::Position;

/// The shortest wait, and the longest: how long an event may still wait once the bus would take it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(300);

impl Relay {
    /// Publishes the claimed `events` but for those that the bus refuses: these are put off, and gone from `events` afterwards.
    pub(super) async fn publish_what_is_taken(
        &mut self,
        events: &mut Vec<Event>,
        until: i64,
    ) -> Result<Vec<Position>, RelayError> {
        // A broker may name what is on one route only, and the next route when it is asked again. Each time there are fewer.
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
                "the bus refused events; they are tried again later, and the others go on"
            );
            self.put_off(&refused, until).await?;
        }
        Ok(Vec::new())
    }

    /// Puts off claimed events, each until it is to be tried again.
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

/// How long an event waits that has waited for so long, in microseconds. Twice as long in all, each time.
fn wait(waited: i64) -> i64 {
    let micros = |wait: Duration| i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    waited.clamp(micros(FIRST_WAIT), micros(MAX_WAIT))
}
