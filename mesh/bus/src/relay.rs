//! Publishes the events of an outbox. There is one relay for each context and replica; several at once are harmless.
//!
//! 1. Claim a batch by a committed update.
//! 2. Publish it with no transaction open.
//! 3. Mark it as published in one commit.
//!
//! If the relay dies in between, the claim expires and the batch is published again: the bus skips the events that it remembers, and
//! the inboxes skip the rest.
//!
//! The outbox is the source of truth, not the broker: events that the stream has [lost](loss) are published again. A relay checks for
//! loss at start, after every failure of the bus, periodically, and before each mark, so that all marks are about one stream. Events
//! that the stream was made to [drop](dropped) are published once more. An event that the bus [refuses](refused) is retried alone, and
//! the others go on without it.

mod dropped;
mod lag;
mod loss;
mod refused;

use std::time::Duration;

use mesh_foundation::{
    background::{Backoff, Phase, pause},
    clock::Clock,
    error::Error,
    event::Event,
    killpoint::KillPoint,
    telemetry::metrics,
    trace,
};
use mesh_store::{
    db::{Database, batch, order},
    store::{
        entity::outbox::{Column, Entity, Model},
        int,
    },
};
use opentelemetry::KeyValue;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement,
    sea_query::{CaseStatement, Expr},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{dropped::Dropped, loss::Stream};
use crate::{
    bus::{BusError, Position, SharedBus},
    wiring::Wiring,
};

/// The broker has stored the batch; the outbox has not been marked.
pub const AFTER_PUBLISH: KillPoint = KillPoint::named("after_publish");

/// Events that are published at once.
const BATCH: u64 = 256;
/// How long a claim excludes other relays. Longer than a slow bus may take for a batch: if claims expired before the mark, relays would
/// publish the same events in turn and never mark them. Not longer, because the batch of a relay that died waits for this long, unless
/// a relay starts.
const CLAIM: Duration = Duration::from_secs(22);
/// How often a relay polls the outbox without being woken: for expired claims and for events that another process committed.
const POLL: Duration = Duration::from_secs(1);
/// How often an idle relay checks whether the stream has lost events.
const LOOK: Duration = Duration::from_secs(30);
/// How long the batch under way and the last flush may take together when the process stops. The supervisor may kill it sooner.
const FLUSH: Duration = Duration::from_secs(5);
/// The pause after a batch of which every event was refused.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);
/// The backoff after failures.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Marks as published what is in the claim that ends at `$4`: the ids and their positions, each list as one value.
const MARK_ON_POSTGRES: &str = "UPDATE outbox SET stream_position = mark.position, publish_time = $3, next_attempt_time = 0 \
     FROM unnest($1::uuid[], $2::bigint[]) AS mark (id, position) WHERE outbox.id = mark.id AND outbox.next_attempt_time = $4";

/// Why a batch was not published.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox cannot be used")]
    Outbox(#[from] Error),
    #[error("the bus cannot be used")]
    Bus(#[from] BusError),
    #[error("the bus refused all of {0} events")]
    Refused(usize),
    #[error("the stream has lost events that it had acknowledged")]
    Lost,
    #[error("{unmarked} of {published} published events were not marked: the claim had expired")]
    Late { published: usize, unmarked: u64 },
}

/// Starts the relay of `context`'s outbox in `database`.
pub fn start(context: &str, database: Database, wiring: &Wiring) {
    let relay = Relay {
        database,
        bus: wiring.bus.clone(),
        clock: wiring.clock.clone(),
        labels: [KeyValue::new("context", context.to_owned())],
        flush: FLUSH,
        has_begun: false,
        looked: None,
        told: None,
        dropped: Dropped::default(),
    };
    wiring.background.run(Phase::Relays, format!("{context}-relay"), |stop| relay.run(stop));
}

/// Marks every published event of the outbox as unpublished, and returns how many there were. The relays, which may be running, publish
/// them all once more. For a stream or a consumer that has to be filled from the beginning.
pub async fn republish(database: &Database) -> Result<u64, Error> {
    loss::unpublish_all(database).await
}

struct Relay {
    database: Database,
    bus: SharedBus,
    clock: Clock,
    labels: [KeyValue; 1],
    /// How long it goes on after it was told to stop.
    flush: Duration,
    /// Whether the claims of an earlier relay have been ended.
    has_begun: bool,
    /// When the stream was last checked for loss; none after a failure.
    looked: Option<Instant>,
    /// When the lag was last recorded.
    told: Option<Instant>,
    /// The state of republishing dropped events.
    dropped: Dropped,
}

/// Rows that this relay has claimed.
struct Claim {
    rows: Vec<Model>,
    /// When the claim ends, in microseconds; also identifies the claim.
    until: i64,
}

/// The unpublished events, the oldest first: the ids are UUIDv7, which sort by time.
fn unpublished(backend: DbBackend) -> Select<Entity> {
    let unpublished = Entity::find().filter(Column::PublishTime.is_null());
    order::behind(unpublished, Column::PublishTime, Order::Asc, backend).order_by_asc(Column::Id)
}

impl Relay {
    async fn run(mut self, stop: CancellationToken) {
        let flush = self.flush;
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(flush).await;
        };
        tokio::select! {
            () = self.publish_all(&stop) => {}
            // The rest is published by the next relay that starts.
            () = too_late => tracing::warn!("the relay stopped before the outbox was empty; the rest is published after the next start"),
        }
    }

    async fn publish_all(&mut self, stop: &CancellationToken) {
        let mut backoff = BACKOFF;
        while !stop.is_cancelled() {
            match self.publish_batch().await {
                Ok(published) => {
                    backoff.succeeded();
                    if published < BATCH as usize {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = self.database.outbox_appended() => {}
                            () = tokio::time::sleep(POLL) => {}
                        }
                    }
                }
                // Logged already. The refused events are deferred, and there may be others behind them.
                Err(RelayError::Refused(_)) => {
                    pause(AFTER_REFUSAL, stop).await;
                }
                Err(error) => {
                    metrics().relay_failures.add(1, &self.labels);
                    tracing::warn!(error = &error as &dyn std::error::Error, "failed to publish a batch; will retry");
                    pause(backoff.failed(), stop).await;
                }
            }
        }
        // Publish what the last calls have committed.
        self.flush().await;
    }

    async fn flush(&mut self) {
        loop {
            match self.publish_batch().await {
                Ok(0) => return,
                Ok(_) | Err(RelayError::Refused(_)) => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "failed to publish the last events before the stop"
                    );
                    return;
                }
            }
        }
    }

    /// Claims, publishes and marks one batch, and returns how many events it had, deferred ones included.
    async fn publish_batch(&mut self) -> Result<usize, RelayError> {
        // First, so that the lag is recorded while the bus cannot be used.
        self.tell_lag().await?;
        if !self.has_begun {
            // Most probably claims of this replica before its restart. If they are another replica's, both publish, which is harmless.
            loss::end_claims(&self.database).await?;
            self.has_begun = true;
        }
        if self.looked.is_none_or(|looked| looked.elapsed() > LOOK) || self.dropped.is_due() {
            self.recover().await?;
        }
        let claim = self.claim().await?;
        if claim.rows.is_empty() {
            return Ok(0);
        }
        let (claimed, until) = (claim.rows.len(), claim.until);
        let mut events: Vec<Event> = claim.rows.into_iter().map(Event::from).collect();
        let positions = match self.publish_what_is_taken(&mut events, until).await {
            Ok(positions) => positions,
            Err(error) => {
                // The stream may be a new one when the bus comes back.
                self.looked = None;
                self.free(&ids(&events), until).await?;
                return Err(error);
            }
        };
        if events.is_empty() {
            return Err(RelayError::Refused(claimed));
        }
        AFTER_PUBLISH.reached();
        let marked = self.mark(&ids(&events), &positions, until).await?;
        metrics().relay_published.add(marked, &self.labels);
        match (events.len() as u64).saturating_sub(marked) {
            0 => Ok(claimed),
            unmarked => Err(RelayError::Late { published: events.len(), unmarked }),
        }
    }

    async fn publish(&mut self, events: &[Event]) -> Result<Vec<Position>, RelayError> {
        let sending = trace::sending(events, self.bus.system(), self.clock.now());
        let published = self.bus.publish(events).await;
        let positions = published.inspect_err(|_| sending.iter().for_each(trace::Span::failed))?;
        drop(sending);
        // Check after publishing: if the stream had lost events before, these positions would be in another stream than the marked
        // ones.
        self.looked = match loss::look(&self.database, &*self.bus).await? {
            Stream::Lost => return Err(RelayError::Lost),
            // It is the same stream, so this batch is marked; then the loss is determined.
            Stream::Dropped => None,
            Stream::Intact => Some(Instant::now()),
        };
        Ok(positions)
    }

    /// Finds the events that the stream has lost or dropped, and marks them as unpublished.
    async fn recover(&mut self) -> Result<(), RelayError> {
        let lost = loss::recover(&self.database, &*self.bus).await?;
        if lost > 0 {
            // It may be a new stream, whose positions start again.
            dropped::forget_refilled(&self.database).await?;
            metrics().relay_lost.add(lost, &self.labels);
            tracing::warn!(lost, "the stream has lost events that it had acknowledged; publishing them again");
        }
        self.dropped.refill(&self.database, &*self.bus, &self.labels).await?;
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// Claims the oldest events that are neither published nor claimed.
    async fn claim(&self) -> Result<Claim, Error> {
        let (now, backend) = (self.clock.now().as_microsecond(), self.database.read().get_database_backend());
        let mut rows = unpublished(backend)
            .filter(Column::NextAttemptTime.lte(now))
            .limit(BATCH)
            .all(self.database.read())
            .await?;
        // Made unique even if two relays claim in the same microsecond; if they ever collide, both publish, which is harmless.
        let claim: i64 = int(CLAIM.as_micros())?;
        let until = now + rand::random_range(0..1_000) + claim;
        if rows.is_empty() {
            return Ok(Claim { rows, until });
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let ids = ids.as_slice();
        let claimed = self
            .database
            .transact("claim", |tx| async move {
                let claimed = Entity::update_many()
                    .col_expr(Column::NextAttemptTime, Expr::value(until))
                    .filter(batch::is_one_of(Column::Id, ids, backend))
                    .filter(Column::PublishTime.is_null())
                    .filter(Column::NextAttemptTime.lte(now))
                    .exec(&*tx)
                    .await?;
                Ok(claimed.rows_affected)
            })
            .await?;
        if claimed < rows.len() as u64 {
            // Another relay has claimed some of them first.
            let ours: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(batch::is_one_of(Column::Id, ids, backend))
                .filter(Column::NextAttemptTime.eq(until))
                .into_tuple()
                .all(self.database.read())
                .await?;
            rows.retain(|row| ours.contains(&row.id));
        }
        Ok(Claim { rows, until })
    }

    /// Marks the claimed rows as published, each at its position, and returns how many. A row with another claim is left alone.
    async fn mark(&self, ids: &[Uuid], positions: &[Position], until: i64) -> Result<u64, Error> {
        let publish_time = self.clock.now().as_microsecond();
        self.database
            .transact("mark", |tx| async move {
                // One statement for all, because a relay spends most of its time on round trips.
                if tx.get_database_backend() == DbBackend::Postgres {
                    let values = [ids.to_vec().into(), positions.to_vec().into(), publish_time.into(), until.into()];
                    let mark = Statement::from_sql_and_values(DbBackend::Postgres, MARK_ON_POSTGRES, values);
                    return Ok(tx.execute_raw(mark).await?.rows_affected());
                }
                let marks: Vec<_> = ids.iter().zip(positions).collect();
                let position = batch::padded(&marks).into_iter().fold(CaseStatement::new(), |case, (id, position)| {
                    case.case(Column::Id.eq(*id), Expr::value(*position))
                });
                let marked = Entity::update_many()
                    .col_expr(Column::StreamPosition, position.into())
                    .col_expr(Column::PublishTime, Expr::value(publish_time))
                    .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                    .filter(batch::is_one_of(Column::Id, ids, tx.get_database_backend()))
                    .filter(Column::NextAttemptTime.eq(until))
                    .exec(&*tx)
                    .await?;
                Ok(marked.rows_affected)
            })
            .await
    }

    /// Releases the claimed rows for the next attempt.
    async fn free(&self, ids: &[Uuid], until: i64) -> Result<(), Error> {
        self.database
            .transact("free", |tx| async move {
                Entity::update_many()
                    .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                    .filter(batch::is_one_of(Column::Id, ids, tx.get_database_backend()))
                    .filter(Column::NextAttemptTime.eq(until))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }
}

fn ids(events: &[Event]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

#[cfg(test)]
mod tests;
