//! Publishes what the outbox holds. One relay for each context and replica; several at once are harmless.
//!
//! A relay claims a batch by a committed update, publishes it with no transaction open, and marks it in one commit. If it dies
//! anywhere in between, the claim lapses and the batch is published again: the bus passes over what it has, the inbox over the
//! rest. The database is the truth and not the broker, so when the stream is another one than last time, everything is published
//! again.

use std::time::Duration;

use opentelemetry::KeyValue;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    background::{Backoff, Phase, pause},
    bus::{BusError, SharedBus},
    clock::Clock,
    context::Wiring,
    db::Database,
    error::Error,
    event::Event,
    killpoint::KillPoint,
    store::entity::{
        outbox::{Column, Entity, Model},
        relay,
    },
    telemetry::metrics,
};

/// Events that are published at once.
const BATCH: u64 = 256;
/// Rows that are made unpublished in one commit.
const REPUBLISH: u64 = 1_000;
/// How long a claim keeps other relays away. Short, because it is also how long a relay that died keeps its batch back.
const CLAIM: Duration = Duration::from_secs(5);
/// How often a relay looks without being woken: for claims that have lapsed and for what another process committed.
const POLL: Duration = Duration::from_secs(1);
/// How long the last flush may take when the process stops.
const FLUSH: Duration = Duration::from_secs(5);
/// The waits after failures.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Why a batch was not published.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox cannot be used")]
    Outbox(#[from] Error),
    #[error("the bus cannot be used")]
    Bus(#[from] BusError),
}

/// Starts the relay of `context`'s outbox in `database`.
pub fn start(context: &str, database: Database, wiring: &Wiring) {
    let relay = Relay {
        database,
        bus: wiring.bus.clone(),
        clock: wiring.clock.clone(),
        labels: [KeyValue::new("context", context.to_owned())],
        stream_is_known: false,
    };
    wiring.background.run(Phase::Relays, format!("{context}-relay"), |stop| relay.run(stop));
}

/// Makes every event of the outbox unpublished again, and tells how many there are: feeds a stream that has lost them.
pub async fn republish(database: &Database) -> Result<u64, Error> {
    let (mut republished, mut after) = (0, None);
    while let Some((first, last)) = next_chunk(database, after).await? {
        republished += database
            .transact("republish", |tx| async move {
                // The claims go as well: a relay that has just published to the lost stream must not mark its batch any more.
                let changed = Entity::update_many()
                    .col_expr(Column::PublishTime, Expr::value(Option::<i64>::None))
                    .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                    .filter(Column::Id.between(first, last))
                    .exec(&*tx)
                    .await?;
                tx.note_appended();
                Ok(changed.rows_affected)
            })
            .await?;
        after = Some(last);
    }
    Ok(republished)
}

/// The first and last id of the next rows behind `after`.
async fn next_chunk(database: &Database, after: Option<Uuid>) -> Result<Option<(Uuid, Uuid)>, Error> {
    let mut query = Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id).limit(REPUBLISH);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let ids: Vec<Uuid> = query.into_tuple().all(database.read()).await?;
    Ok(ids.first().copied().zip(ids.last().copied()))
}

struct Relay {
    database: Database,
    bus: SharedBus,
    clock: Clock,
    labels: [KeyValue; 1],
    /// Whether the stream is known to be the one that the outbox's marks are about.
    stream_is_known: bool,
}

/// Rows that are this relay's to publish.
struct Claim {
    rows: Vec<Model>,
    /// Until when, to the microsecond: also what tells this claim from any other.
    until: i64,
}

impl Claim {
    fn ids(&self) -> Vec<Uuid> {
        self.rows.iter().map(|row| row.id).collect()
    }
}

impl Relay {
    async fn run(mut self, stop: CancellationToken) {
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
                Err(error) => {
                    metrics().relay_failures.add(1, &self.labels);
                    tracing::warn!(error = &error as &dyn std::error::Error, "a batch was not published; trying again");
                    pause(backoff.failed(), &stop).await;
                }
            }
        }
        // What the last calls committed still goes out; what does not is published by whoever starts next.
        if tokio::time::timeout(FLUSH, self.flush()).await.is_err() {
            tracing::warn!("the outbox was not empty when the process stopped");
        }
    }

    async fn flush(&mut self) {
        loop {
            match self.publish_batch().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the last events were not published");
                    return;
                }
            }
        }
    }

    /// Claims, publishes and marks one batch, and tells how many events it had.
    async fn publish_batch(&mut self) -> Result<usize, RelayError> {
        if !self.stream_is_known {
            self.recognise_stream().await?;
            self.stream_is_known = true;
        }
        let mut claim = self.claim().await?;
        self.record_lag(&claim);
        if claim.rows.is_empty() {
            return Ok(0);
        }
        let ids = claim.ids();
        let events: Vec<Event> = claim.rows.drain(..).map(Event::from).collect();
        if let Err(error) = self.bus.publish(&events).await {
            // Whatever failed, the stream may be another one when the bus comes back.
            self.stream_is_known = false;
            self.end_claim(&ids, claim.until, None).await?;
            return Err(error.into());
        }
        KillPoint::AfterPublish.reached();
        self.end_claim(&ids, claim.until, Some(self.clock.now().as_microsecond())).await?;
        metrics().relay_published.add(events.len() as u64, &self.labels);
        Ok(events.len())
    }

    /// Compares the stream with the one that the outbox was published to before; if it is another one, nothing of the outbox is in
    /// it for sure.
    async fn recognise_stream(&self) -> Result<(), RelayError> {
        let epoch = self.bus.epoch().await?;
        let known = relay::Entity::find_by_id(1).one(self.database.read()).await.map_err(Error::from)?;
        if known.as_ref().is_some_and(|known| known.epoch == epoch) {
            return Ok(());
        }
        let events = republish(&self.database).await?;
        if known.is_some() {
            tracing::warn!(epoch, events, "the stream is another one: the outbox is published again");
        }
        // Written last: a relay that dies before begins again.
        self.database
            .transact("stream", |tx| {
                let epoch = epoch.clone();
                async move {
                    if !tx.insert_new(relay::ActiveModel { id: Set(1), epoch: Set(epoch.clone()) }).await? {
                        relay::Entity::update_many()
                            .col_expr(relay::Column::Epoch, Expr::value(epoch))
                            .filter(relay::Column::Id.eq(1))
                            .exec(&*tx)
                            .await?;
                    }
                    Ok(())
                }
            })
            .await?;
        Ok(())
    }

    /// Claims the oldest events that are neither published nor claimed.
    async fn claim(&self) -> Result<Claim, Error> {
        let now = self.clock.now().as_microsecond();
        // UUIDv7: the order of the ids is that of time. The first column of the order is constant; it lets the index serve it.
        let mut rows = Entity::find()
            .filter(Column::PublishTime.is_null())
            .filter(Column::NextAttemptTime.lte(now))
            .order_by_asc(Column::PublishTime)
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .all(self.database.read())
            .await?;
        // Two relays that claim in the same microsecond still differ; if ever they do not, both publish, which is harmless.
        let until = now + rand::random_range(0..1_000) + i64::try_from(CLAIM.as_micros()).unwrap_or(i64::MAX / 2);
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
                    .filter(Column::Id.is_in(ids.iter().copied()))
                    .filter(Column::PublishTime.is_null())
                    .filter(Column::NextAttemptTime.lte(now))
                    .exec(&*tx)
                    .await?;
                Ok(claimed.rows_affected)
            })
            .await?;
        if claimed < rows.len() as u64 {
            // Another relay was faster with some of them.
            let ours: Vec<Uuid> = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::Id.is_in(ids.iter().copied()))
                .filter(Column::NextAttemptTime.eq(until))
                .into_tuple()
                .all(self.database.read())
                .await?;
            rows.retain(|row| ours.contains(&row.id));
        }
        Ok(Claim { rows, until })
    }

    /// Ends the claim on `ids`: published, or free for the next attempt. A row whose claim is no longer this one is left alone.
    async fn end_claim(&self, ids: &[Uuid], until: i64, publish_time: Option<i64>) -> Result<(), Error> {
        self.database
            .transact("end claim", |tx| async move {
                Entity::update_many()
                    .col_expr(Column::PublishTime, Expr::value(publish_time))
                    .col_expr(Column::NextAttemptTime, Expr::value(0_i64))
                    .filter(Column::Id.is_in(ids.iter().copied()))
                    .filter(Column::NextAttemptTime.eq(until))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }

    fn record_lag(&self, claim: &Claim) {
        let now = self.clock.now().as_microsecond();
        let waited = claim.rows.first().map_or(0, |row| (now - row.occur_time).max(0));
        metrics().outbox_lag_seconds.record(waited as f64 / 1e6, &self.labels);
    }
}

#[cfg(test)]
mod tests;
