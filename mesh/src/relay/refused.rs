//! Events that the bus does not take, while it takes others: too large for it, or on a route on which we may not publish.
//!
//! They are committed, so they stay, and are tried again: somebody may raise a limit or grant a permission. Each waits by itself, as long
//! as it has been waiting already, so that the others get on. Nothing counts on their order.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{CaseStatement, Expr},
};

use super::Relay;
use crate::{
    bus::BusError,
    error::Error,
    event::Event,
    store::entity::outbox::{Column, Entity},
    telemetry::metrics,
};

/// The shortest wait, and the longest: how long an event may still wait once the bus would take it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(300);

impl Relay {
    /// Puts off those of the claimed `events` that `error` names, each until it is to be tried again, and tells how many there were.
    pub(super) async fn put_off(&self, events: &[Event], error: &BusError, until: i64) -> Result<u64, Error> {
        let now = self.clock.now().as_microsecond();
        let refused: Vec<&Event> = events.iter().filter(|event| error.refused.contains(&event.id)).collect();
        for event in &refused {
            tracing::warn!(
                event = %event.id,
                subject = event.subject,
                error = error as &dyn std::error::Error,
                "the bus refused an event; it is tried again later, and the others go on"
            );
        }
        metrics().relay_refused.add(refused.len() as u64, &self.labels);
        let refused = refused.as_slice();
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
            .await?;
        Ok(refused.len() as u64)
    }
}

/// How long an event waits that has waited for so long, in microseconds. Twice as long in all, each time.
fn wait(waited: i64) -> i64 {
    let micros = |wait: Duration| i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    waited.clamp(micros(FIRST_WAIT), micros(MAX_WAIT))
}
