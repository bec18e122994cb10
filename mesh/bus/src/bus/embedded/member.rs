//! One member of a durable consumer.
//!
//! 1. A fetch reads without a lock, and writes only if it has found messages, so an idle consumer costs nothing.
//! 2. A transaction leases the messages that were found. It succeeds only if no other member took them in between.
//! 3. Otherwise the member reads again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use mesh_foundation::{clock::Clock, error::Error, in_transaction::assert_no_transaction};
use mesh_store::{
    db::{Database, exactly_one},
    store::int,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    CHUNK, Hub, delivery,
    entity::{consumer, dead_letter, message, pending},
    is_heard, routes,
};
use crate::bus::{BusError, ConsumerSpec, Delivery, Subscription};

/// How many messages for other consumers are skipped without a commit. After that many the place is written, so that a restart and a
/// count do not have to scan them again.
const PASS_OVER: i64 = 5_000;

pub(super) struct Member {
    database: Database,
    hub: Arc<Hub>,
    spec: ConsumerSpec,
    woken: watch::Receiver<()>,
    /// Every message before this place is delivered or not for us. It may be ahead of the consumer's row, which is written only together
    /// with a delivery, so that skipping messages for others costs no commit.
    looked_until: i64,
}

/// The messages that were found, and the state in which they were read.
#[derive(Default)]
struct Found {
    /// The consumer's place as it was read.
    next_seq: i64,
    /// The consumer's place after the fresh messages are delivered and those for others are skipped.
    next_seq_after: i64,
    /// Delivered before and due again: place and number of deliveries.
    due: Vec<(i64, i64)>,
    /// Never delivered.
    fresh: Vec<i64>,
    /// If there is nothing now: when the next message is due, unless one is published before.
    next_due: Option<i64>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.due.is_empty() && self.fresh.is_empty()
    }

    /// How far the consumer's place moves.
    fn progress(&self) -> i64 {
        self.next_seq_after - self.next_seq
    }
}

impl Member {
    pub(super) fn new(database: Database, hub: Arc<Hub>, spec: ConsumerSpec) -> Self {
        let woken = hub.join(&spec.name, &spec.filters);
        Self { database, hub, spec, woken, looked_until: 0 }
    }

    async fn fetch_until(&mut self, max: usize, deadline: Instant) -> Result<Vec<Delivery>, Error> {
        loop {
            // Registered before reading, so that anything published from here on wakes us.
            self.woken.mark_unchanged();
            let now = Clock::system().now().as_microsecond();
            let found = self.look(max, now).await?;
            if !found.is_empty() || found.progress() >= PASS_OVER {
                match self.take(&found, now).await {
                    Ok(()) if found.is_empty() => {}
                    Ok(()) => return self.load(&found).await,
                    Err(Error::Lost) => continue,
                    Err(error) => return Err(error),
                }
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            let until = match found.next_due {
                Some(due) => deadline.min(Instant::now() + Duration::from_micros((due - now).unsigned_abs())),
                None => deadline,
            };
            let _woken_or_not = timeout_at(until, self.woken.changed()).await;
        }
    }

    async fn look(&mut self, max: usize, now: i64) -> Result<Found, Error> {
        let read = self.database.read();
        let row = consumer::Entity::find_by_id(self.spec.name.clone()).one(read).await?;
        let next_seq = row.map(|row| row.next_seq).ok_or_else(|| Error::Internal("the consumer is gone".to_owned()))?;
        let mut found = Found { next_seq, ..Found::default() };

        let pending: Vec<(i64, i64, i64)> = pending::Entity::find()
            .select_only()
            .columns([pending::Column::Seq, pending::Column::Deliveries, pending::Column::DueTime])
            .filter(pending::Column::Consumer.eq(&self.spec.name))
            .order_by_asc(pending::Column::DueTime)
            .limit(max as u64)
            .into_tuple()
            .all(read)
            .await?;
        for (seq, deliveries, due_time) in pending {
            if due_time <= now {
                found.due.push((seq, deliveries));
            } else {
                found.next_due = Some(due_time);
                break;
            }
        }

        self.looked_until = Ord::max(self.looked_until, next_seq);
        found.next_seq_after = self.looked_until;
        while found.due.len() < max && found.fresh.is_empty() {
            let page = routes(&self.database, self.looked_until).await?;
            let Some((last, _)) = page.last() else { break };
            let end = last + 1;
            let ours = page.iter().filter(|(_, route)| is_heard(&self.spec.filters, route)).map(|(seq, _)| *seq);
            found.fresh = ours.collect();
            if found.fresh.is_empty() {
                (self.looked_until, found.next_seq_after) = (end, end);
                continue;
            }
            found.next_seq_after = match found.fresh.get(max - found.due.len()) {
                Some(first_left) => *first_left,
                None => end,
            };
            found.fresh.truncate(max - found.due.len());
        }
        Ok(found)
    }

    /// Leases the messages that were found, in one transaction; [`Error::Lost`] if they changed since they were read.
    async fn take(&self, found: &Found, now: i64) -> Result<(), Error> {
        let name = self.spec.name.as_str();
        let lease_end = now.saturating_add(int(self.spec.ack_wait.as_micros())?);
        self.database
            .transact("fetch", |tx| async move {
                if !found.due.is_empty() {
                    let again = pending::Entity::update_many()
                        .col_expr(pending::Column::Deliveries, Expr::col(pending::Column::Deliveries).add(1))
                        .col_expr(pending::Column::DueTime, Expr::value(lease_end))
                        .filter(pending::Column::Consumer.eq(name))
                        .filter(pending::Column::Seq.is_in(found.due.iter().map(|(seq, _)| *seq)))
                        .filter(pending::Column::DueTime.lte(now))
                        .exec(&*tx)
                        .await?;
                    if again.rows_affected != found.due.len() as u64 {
                        return Err(Error::Lost);
                    }
                }
                if found.progress() > 0 {
                    let moved = consumer::Entity::update_many()
                        .col_expr(consumer::Column::NextSeq, Expr::value(found.next_seq_after))
                        .filter(consumer::Column::Name.eq(name))
                        .filter(consumer::Column::NextSeq.eq(found.next_seq))
                        .exec(&*tx)
                        .await?;
                    exactly_one(moved.rows_affected)?;
                }
                let leases = found.fresh.iter().map(|seq| pending::ActiveModel {
                    consumer: Set(name.to_owned()),
                    seq: Set(*seq),
                    deliveries: Set(1),
                    due_time: Set(lease_end),
                });
                pending::Entity::insert_many(leases).exec_without_returning(&*tx).await?;
                Ok(())
            })
            .await?;
        if !found.is_empty() {
            // The due time that the other members wait for has changed.
            self.hub.rescheduled(name);
        }
        Ok(())
    }

    /// The leased messages, in the order of publication.
    async fn load(&self, found: &Found) -> Result<Vec<Delivery>, Error> {
        let again: HashMap<i64, i64> = found.due.iter().map(|(seq, deliveries)| (*seq, deliveries + 1)).collect();
        let seqs = again.keys().chain(&found.fresh).copied();
        let messages = message::Entity::find()
            .filter(message::Column::Seq.is_in(seqs))
            .order_by_asc(message::Column::Seq)
            .all(self.database.read())
            .await?;
        messages
            .into_iter()
            .map(|message| {
                let deliveries = again.get(&message.seq).copied().unwrap_or(1);
                delivery(message, deliveries)
            })
            .collect()
    }

    async fn forget(&self, handles: &[u64]) -> Result<(), Error> {
        let name = self.spec.name.as_str();
        self.database
            .transact("ack", |tx| async move {
                for chunk in handles.chunks(CHUNK) {
                    pending::Entity::delete_many()
                        .filter(pending::Column::Consumer.eq(name))
                        .filter(pending::Column::Seq.is_in(chunk.iter().map(|handle| handle.cast_signed())))
                        .exec(&*tx)
                        .await?;
                }
                Ok(())
            })
            .await
    }

    async fn reschedule(&self, handle: u64, delay: Duration) -> Result<(), Error> {
        let due_time = Clock::system().now().as_microsecond().saturating_add(int(delay.as_micros())?);
        let name = self.spec.name.as_str();
        self.database
            .transact("nak", |tx| async move {
                pending::Entity::update_many()
                    .col_expr(pending::Column::DueTime, Expr::value(due_time))
                    .filter(pending::Column::Consumer.eq(name))
                    .filter(pending::Column::Seq.eq(handle.cast_signed()))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await?;
        self.hub.rescheduled(name);
        Ok(())
    }

    /// Does nothing if the message is no longer pending, because another member has handled it.
    async fn bury(&self, handle: u64, reason: &str) -> Result<(), Error> {
        let key = (self.spec.name.clone(), handle.cast_signed());
        let now = Clock::system().now().as_microsecond();
        self.database
            .transact("dead letter", |tx| {
                let key = key.clone();
                async move {
                    let Some(row) = pending::Entity::find_by_id(key.clone()).one(&*tx).await? else { return Ok(()) };
                    pending::Entity::delete_by_id(key).exec(&*tx).await?;
                    let letter = dead_letter::ActiveModel {
                        consumer: Set(row.consumer),
                        seq: Set(row.seq),
                        reason: Set(reason.to_owned()),
                        deliveries: Set(row.deliveries),
                        bury_time: Set(now),
                    };
                    tx.insert_new(letter).await?;
                    Ok(())
                }
            })
            .await
    }
}

#[async_trait]
impl Subscription for Member {
    async fn fetch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        assert_no_transaction("fetch");
        let max = max.clamp(1, CHUNK);
        self.fetch_until(max, Instant::now() + wait).await.map_err(|error| BusError::new("fetch", error))
    }

    async fn ack(&mut self, handles: &[u64]) -> Result<(), BusError> {
        assert_no_transaction("ack");
        if handles.is_empty() {
            return Ok(());
        }
        self.forget(handles).await.map_err(|error| BusError::new("ack", error))
    }

    async fn nak(&mut self, handle: u64, delay: Duration) -> Result<(), BusError> {
        assert_no_transaction("nak");
        self.reschedule(handle, delay).await.map_err(|error| BusError::new("nak", error))
    }

    async fn dead_letter(&mut self, handle: u64, reason: &str) -> Result<(), BusError> {
        assert_no_transaction("dead letter");
        self.bury(handle, reason).await.map_err(|error| BusError::new("dead letter", error))
    }
}
