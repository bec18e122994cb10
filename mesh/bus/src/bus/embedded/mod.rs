//! The bus inside the process, durable in one SQLite file: what `jumak up` runs on.
//!
//! The stream is a table in which a message's place is its row's number. There is one writer, so places become visible in order, and
//! a consumer's place is one number. A message that is delivered and not acknowledged has its own row, with the time of its next
//! delivery.
//!
//! The file belongs to one process (`--data` is locked). When it is opened, all leases in it are of a process that is gone, so they end
//! at once, and their messages are delivered again.

pub mod backlog;
mod entity;
mod hub;
mod member;
mod migration;

use std::{collections::HashMap, path::Path, sync::Arc};

use async_trait::async_trait;
use mesh_foundation::{
    background::Background, clock::Clock, error::Error, event::Event, in_transaction::assert_no_transaction,
};
use mesh_store::{
    db::Database,
    store::{self, int},
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use self::{
    entity::{consumer, dead_letter, message, pending},
    hub::{Hub, is_heard},
    member::Member,
    migration::Migrator,
};
use super::{Bus, BusError, ConsumerSpec, DeadLetter, Delivery, Position, Subscription};

/// The number of read connections; there is one write connection besides.
const MAX_CONNECTIONS: u32 = 4;
/// Rows in one statement: far below SQLite's limit of 32,766 values.
const CHUNK: usize = 500;
/// Messages whose routes are looked at in one query.
const SCAN: u64 = 500;
/// The most dead letters that are shown at once.
const MAX_DEAD_LETTERS: u64 = 1_000;

/// The bus in a file.
#[derive(Debug)]
pub struct EmbeddedBus {
    database: Database,
    hub: Arc<Hub>,
}

impl EmbeddedBus {
    /// Opens the bus in the file at `path`, and creates the file if it is missing.
    pub async fn open(path: &Path) -> Result<Self, BusError> {
        let failed = |error| BusError::new("open", error);
        let database = Self::open_stream(path).await.map_err(failed)?;
        store::migrate(&database, &Migrator).await.map_err(failed)?;
        end_leases(&database).await.map_err(failed)?;
        Ok(Self { database, hub: Arc::default() })
    }

    /// Opens the bus in the file at `path` while another process runs on it, to read and replay its dead letters. The other process is not
    /// woken: it gets replayed messages at its next fetch. The file must exist.
    pub async fn open_beside(path: &Path) -> Result<Self, BusError> {
        let failed = |error| BusError::new("open", error);
        // Opening it for writing would create a missing file, or change a file of another version.
        let look = Database::open_file_to_read(path, 1).await.map_err(|error| failed(Error::Store(error)))?;
        let understood = store::version::check(look.read()).await;
        look.close().await;
        understood.map_err(failed)?;
        let database = Self::open_stream(path).await.map_err(failed)?;
        Ok(Self { database, hub: Arc::default() })
    }

    /// After a power cut the file may have lost its tail, as a broker's disk may: what is gone of the stream is still in the outboxes,
    /// whose files lose nothing, and relays publish it again; what was acknowledged is delivered again, and the inboxes know it.
    async fn open_stream(path: &Path) -> Result<Database, Error> {
        Ok(Database::open_refillable(path, MAX_CONNECTIONS).await?)
    }

    async fn store(&self, events: &[Event]) -> Result<HashMap<Uuid, Position>, Error> {
        let now = Clock::system().now().as_microsecond();
        let rows = events.iter().map(|event| row(event, now)).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Uuid> = events.iter().map(Event::key).collect();
        let keys = keys.as_slice();
        self.database
            .transact("publish", |tx| {
                let rows = rows.clone();
                async move {
                    for chunk in rows.chunks(CHUNK) {
                        message::Entity::insert_many(chunk.to_vec())
                            .on_conflict_do_nothing_on([message::Column::Id])
                            .exec_without_returning(&*tx)
                            .await?;
                    }
                    let mut positions = HashMap::with_capacity(keys.len());
                    for chunk in keys.chunks(CHUNK) {
                        let stored: Vec<(Uuid, Position)> = message::Entity::find()
                            .select_only()
                            .columns([message::Column::Id, message::Column::Seq])
                            .filter(message::Column::Id.is_in(chunk.iter().copied()))
                            .into_tuple()
                            .all(&*tx)
                            .await?;
                        positions.extend(stored);
                    }
                    Ok(positions)
                }
            })
            .await
    }

    async fn is_stored(&self, position: Position, event: Uuid) -> Result<bool, Error> {
        let at_position = message::Entity::find_by_id(position).filter(message::Column::Id.eq(event));
        Ok(at_position.count(self.database.read()).await? > 0)
    }

    async fn join(&self, spec: &ConsumerSpec) -> Result<(), Error> {
        let filters = to_json(&spec.filters)?;
        let known = consumer::Entity::find_by_id(spec.name.clone()).one(self.database.read()).await?;
        if known.is_some_and(|known| known.filters == filters) {
            return Ok(());
        }
        self.database
            .transact("subscribe", |tx| {
                let fresh = consumer::ActiveModel {
                    name: Set(spec.name.clone()),
                    filters: Set(filters.clone()),
                    next_seq: Set(1),
                };
                let (name, filters) = (spec.name.clone(), filters.clone());
                async move {
                    if !tx.insert_new(fresh).await? {
                        consumer::Entity::update_many()
                            .col_expr(consumer::Column::Filters, Expr::value(filters))
                            .filter(consumer::Column::Name.eq(name))
                            .exec(&*tx)
                            .await?;
                    }
                    Ok(())
                }
            })
            .await
    }

    async fn leave(&self, name: &str) -> Result<(), Error> {
        self.database
            .transact("forget", |tx| async move {
                consumer::Entity::delete_by_id(name.to_owned()).exec(&*tx).await?;
                pending::Entity::delete_many().filter(pending::Column::Consumer.eq(name)).exec(&*tx).await?;
                Ok(())
            })
            .await
    }

    async fn count_pending(&self, name: &str) -> Result<u64, Error> {
        let read = self.database.read();
        let known = consumer::Entity::find_by_id(name.to_owned()).one(read).await?;
        let known = known.ok_or_else(|| Error::Internal(format!("there is no consumer {name}")))?;
        let filters: Vec<String> = from_json(&known.filters)?;
        let mut count = pending::Entity::find().filter(pending::Column::Consumer.eq(name)).count(read).await?;
        let mut from = known.next_seq;
        loop {
            let page = routes(&self.database, from).await?;
            let Some((last, _)) = page.last() else { return Ok(count) };
            from = last + 1;
            count += page.iter().filter(|(_, route)| is_heard(&filters, route)).count() as u64;
        }
    }

    async fn buried(&self, limit: u64) -> Result<Vec<DeadLetter>, Error> {
        let read = self.database.read();
        let rows = dead_letter::Entity::find()
            .order_by_desc(dead_letter::Column::BuryTime)
            .order_by_desc(dead_letter::Column::Seq)
            .limit(limit.min(MAX_DEAD_LETTERS))
            .all(read)
            .await?;
        let seqs = rows.iter().map(|row| row.seq);
        let messages = message::Entity::find().filter(message::Column::Seq.is_in(seqs)).all(read).await?;
        let messages: HashMap<i64, message::Model> = messages.into_iter().map(|row| (row.seq, row)).collect();
        let letters = rows.into_iter().filter_map(|row| {
            let message = messages.get(&row.seq)?.clone();
            Some((row, message))
        });
        letters
            .map(|(row, message)| {
                Ok(DeadLetter {
                    consumer: row.consumer,
                    delivery: delivery(message, row.deliveries)?,
                    reason: row.reason,
                })
            })
            .collect()
    }

    /// Replays one chunk of the consumer's dead letters.
    async fn dig_up(&self, consumer: &str) -> Result<usize, Error> {
        self.database
            .transact("replay", |tx| async move {
                let of_consumer = dead_letter::Column::Consumer.eq(consumer);
                let seqs: Vec<i64> = dead_letter::Entity::find()
                    .select_only()
                    .column(dead_letter::Column::Seq)
                    .filter(of_consumer.clone())
                    .order_by_asc(dead_letter::Column::Seq)
                    .limit(CHUNK as u64)
                    .into_tuple()
                    .all(&*tx)
                    .await?;
                dead_letter::Entity::delete_many()
                    .filter(of_consumer)
                    .filter(dead_letter::Column::Seq.is_in(seqs.iter().copied()))
                    .exec(&*tx)
                    .await?;
                let again = seqs.iter().map(|seq| pending::ActiveModel {
                    consumer: Set(consumer.to_owned()),
                    seq: Set(*seq),
                    deliveries: Set(0),
                    due_time: Set(0),
                });
                pending::Entity::insert_many(again).exec_without_returning(&*tx).await?;
                Ok(seqs.len())
            })
            .await
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    fn system(&self) -> &'static str {
        "embedded"
    }

    fn keeps_places_with_stream(&self) -> bool {
        true
    }

    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError> {
        assert_no_transaction("publish");
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.store(events).await.map_err(|error| BusError::new("publish", error))?;
        self.hub.published(events.iter().map(|event| event.route.as_str()));
        let positions = events.iter().map(|event| stored.get(&event.key()).copied());
        positions.collect::<Option<_>>().ok_or_else(|| BusError::new("publish", "an event was not stored"))
    }

    async fn holds(&self, position: Position, event: Uuid) -> Result<bool, BusError> {
        assert_no_transaction("holds");
        self.is_stored(position, event).await.map_err(|error| BusError::new("holds", error))
    }

    async fn newest(&self, context: &str) -> Result<Option<Uuid>, BusError> {
        backlog::newest(&self.database, context).await.map_err(|error| BusError::new("newest", error))
    }

    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError> {
        assert_no_transaction("subscribe");
        self.join(&spec).await.map_err(|error| BusError::new("subscribe", error))?;
        Ok(Box::new(Member::new(self.database.clone(), self.hub.clone(), spec)))
    }

    async fn forget(&self, consumer: &str) -> Result<(), BusError> {
        assert_no_transaction("forget");
        self.leave(consumer).await.map_err(|error| BusError::new("forget", error))
    }

    async fn pending(&self, consumer: &str) -> Result<u64, BusError> {
        self.count_pending(consumer).await.map_err(|error| BusError::new("pending", error))
    }

    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError> {
        self.buried(limit).await.map_err(|error| BusError::new("dead letters", error))
    }

    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError> {
        assert_no_transaction("replay");
        let mut replayed = 0;
        loop {
            let chunk = self.dig_up(consumer).await.map_err(|error| BusError::new("replay", error))?;
            if chunk == 0 {
                return Ok(replayed);
            }
            replayed += chunk as u64;
            self.hub.rescheduled(consumer);
        }
    }

    fn start(&self, background: &Background) {
        self.database.keep_log_small("bus", background);
    }

    async fn close(&self) {
        self.database.clone().close().await;
    }
}

async fn end_leases(database: &Database) -> Result<(), Error> {
    database
        .transact("end leases", |tx| async move {
            pending::Entity::update_many().col_expr(pending::Column::DueTime, Expr::value(0)).exec(&*tx).await?;
            Ok(())
        })
        .await
}

/// The next messages from `from` on: place and route.
async fn routes(database: &Database, from: i64) -> Result<Vec<(i64, String)>, Error> {
    let page = message::Entity::find()
        .select_only()
        .columns([message::Column::Seq, message::Column::Route])
        .filter(message::Column::Seq.gte(from))
        .order_by_asc(message::Column::Seq)
        .limit(SCAN)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(page)
}

fn row(event: &Event, now: i64) -> Result<message::ActiveModel, Error> {
    Ok(message::ActiveModel {
        seq: NotSet,
        id: Set(event.key()),
        route: Set(event.route.clone()),
        headers: Set(to_json(&event.headers())?),
        data: Set(event.data.clone()),
        publish_time: Set(now),
    })
}

fn delivery(message: message::Model, deliveries: i64) -> Result<Delivery, Error> {
    Ok(Delivery {
        handle: message.seq.unsigned_abs(),
        route: message.route,
        headers: from_json(&message.headers)?,
        data: message.data,
        deliveries: int(deliveries)?,
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("failed to write JSON: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("failed to read the bus's own JSON: {error}")))
}

#[cfg(test)]
mod tests;
