//! Consumes the events of other contexts and hands them to a context's policies, effectively once.
//!
//! 1. Fetch a batch from the bus.
//! 2. Handle it in one transaction: the effects and the inbox rows commit together.
//! 3. Acknowledge it after the commit.
//!
//! If the transaction fails, the cause decides what happens next:
//! - The database or the network failed: the consumer pauses and tries the same events again. No failure is counted against them.
//! - An event needs a transaction of its own: each event is handled alone.
//! - An event failed: each event is handled alone. An event that fails alone is redelivered after a growing delay, and becomes a dead
//!   letter after `MAX_FAILURES` failures.

mod place;

use std::{
    error::Error as _,
    panic::AssertUnwindSafe,
    slice,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use futures::FutureExt;
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
    db::{Database, Tx},
    inbox,
};
use opentelemetry::{KeyValue, trace::FutureExt as _};
use sea_orm::DbErr;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    bus::{BusError, ConsumerSpec, Delivery, SharedBus, Subscription},
    policies::{Handled, Hears, Policies},
    wiring::Wiring,
};

/// A consumer's effects are committed; the events are not acknowledged yet.
pub const BEFORE_ACK: KillPoint = KillPoint::named("before_ack");

/// Events that are handled in one transaction.
const BATCH: usize = 100;
/// How long a fetch waits for a message. If the process that asked is killed, the broker may keep delivering to it for this long.
pub(crate) const FETCH_WAIT: Duration = Duration::from_secs(10);
/// How often a consumer checks whether the stream has lost events that it has handled.
const LOOK: Duration = Duration::from_secs(30);
/// How often an event may fail alone before it becomes a dead letter.
const MAX_FAILURES: u32 = 5;
/// How often a transaction is retried that lost to a concurrent transition.
const MAX_LOST: u32 = 3;
/// Characters of a dead letter's reason.
const MAX_REASON: usize = 500;

/// The time limits of a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// How long a delivery is leased to this member: also how long the events of a member that died are held back.
    pub(crate) ack_wait: Duration,
    /// The backoff while the database or the bus cannot be used.
    pub(crate) outage: Backoff,
    /// The delay of an event after its first failure; doubles with each further one.
    pub(crate) retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(10),
            outage: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
            retry: Duration::from_secs(1),
        }
    }
}

/// Starts the consumer of `context`, which keeps its inbox in `database`.
pub async fn start(context: &str, database: Database, hears: Hears, wiring: &Wiring) -> Result<(), Error> {
    start_at(Timing::default(), context, database, hears, wiring).await
}

pub(crate) async fn start_at(
    timing: Timing,
    context: &str,
    database: Database,
    hears: Hears,
    wiring: &Wiring,
) -> Result<(), Error> {
    let consumer = Consumer {
        name: durable_name(context, &database, &hears).await?,
        filters: hears.filters,
        policies: hears.policies,
        database,
        bus: wiring.bus.clone(),
        clock: wiring.clock.clone(),
        timing,
        labels: [KeyValue::new("context", context.to_owned())],
        gap: AtomicI64::new(0),
    };
    wiring.background.run(Phase::Consumers, format!("{context}-consumer"), |stop| consumer.run(stop));
    Ok(())
}

/// The name under which the bus keeps the context's place. The name of a projection belongs to its database: when the database is
/// deleted, the projection becomes a new consumer and consumes everything from the beginning.
pub async fn durable_name(context: &str, database: &Database, hears: &Hears) -> Result<String, Error> {
    if hears.projection {
        Ok(format!("{context}-{}", inbox::incarnation(database).await?.simple()))
    } else {
        Ok(context.to_owned())
    }
}

struct Consumer {
    name: String,
    filters: Vec<String>,
    policies: Arc<dyn Policies>,
    database: Database,
    bus: SharedBus,
    clock: Clock,
    timing: Timing,
    labels: [KeyValue; 1],
    /// The first position of the stream when a gap before it was last logged.
    gap: AtomicI64,
}

/// A delivered event.
struct Heard {
    handle: u64,
    deliveries: u32,
    event: Event,
}

/// The outcomes of a batch, event by event.
#[derive(Default)]
struct Tally {
    done: u64,
    unknown: u64,
    duplicates: u64,
}

/// The outcome of an event that was handled alone.
enum Verdict {
    Handled,
    Failed { failures: u32, error: Error },
}

impl Consumer {
    async fn run(self, stop: CancellationToken) {
        let mut outage = self.timing.outage.clone();
        // None before the first subscription, and when the place that the bus keeps may be wrong.
        let mut joined: Option<Box<dyn Subscription>> = None;
        let mut looked = Instant::now();
        while !stop.is_cancelled() {
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                if !self.is_in_place().await.unwrap_or(false) {
                    joined = None;
                }
            }
            let member = match &mut joined {
                Some(member) => member,
                None => match self.subscribe(&stop).await {
                    Some(member) => joined.insert(member),
                    None => return,
                },
            };
            let fetched = tokio::select! {
                // If the fetch is dropped, the bus delivers its messages again, because none was acknowledged.
                () = stop.cancelled() => return,
                fetched = member.fetch(BATCH, FETCH_WAIT) => fetched,
            };
            let settled = match fetched {
                Ok(deliveries) => self.settle(member.as_mut(), deliveries, &stop).await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(()) => outage.succeeded(),
                Err(error) => {
                    joined = None;
                    self.pause(&error, &mut outage, &stop).await;
                }
            }
        }
    }

    /// Subscribes, and retries until the bus can be used. `None` if the consumer is stopped first.
    async fn subscribe(&self, stop: &CancellationToken) -> Option<Box<dyn Subscription>> {
        let mut outage = self.timing.outage.clone();
        while !stop.is_cancelled() {
            match self.join().await {
                Ok(member) => return Some(member),
                Err(error) => self.pause(&error, &mut outage, stop).await,
            }
        }
        None
    }

    async fn join(&self) -> Result<Box<dyn Subscription>, BusError> {
        self.find_place().await?;
        let (name, filters) = (self.name.clone(), self.filters.clone());
        self.bus.subscribe(ConsumerSpec { name, filters, ack_wait: self.timing.ack_wait }).await
    }

    /// Handles a fetched batch, and settles each message on the bus.
    async fn settle(
        &self,
        member: &mut dyn Subscription,
        deliveries: Vec<Delivery>,
        stop: &CancellationToken,
    ) -> Result<(), BusError> {
        let mut heard = Vec::with_capacity(deliveries.len());
        let mut undecodable = Vec::new();
        for delivery in deliveries {
            match Event::from_parts(&delivery.route, &delivery.headers, delivery.data) {
                Ok(event) => heard.push(Heard { handle: delivery.handle, deliveries: delivery.deliveries, event }),
                Err(error) => undecodable.push((delivery.handle, format!("undecodable: {error}"))),
            }
        }
        // A redelivered event may have failed its batch, so it is handled alone and cannot fail another batch.
        let (mut alone, together): (Vec<_>, Vec<_>) = heard.into_iter().partition(|heard| heard.deliveries > 1);
        match self.handle_through_outages(&together, stop).await {
            None => return Ok(()),
            Some(Ok(())) => self.acknowledge(member, &together).await?,
            Some(Err(error)) => {
                tracing::debug!(consumer = %self.name, reason = reason(&error), "failed to handle a batch; handling each event alone");
                alone.extend(together);
            }
        }
        for heard in alone {
            match self.handle_alone(&heard, stop).await {
                None => return Ok(()),
                Some(Verdict::Handled) => self.acknowledge(member, slice::from_ref(&heard)).await?,
                Some(Verdict::Failed { failures, error }) => self.blame(member, &heard, failures, &error).await?,
            }
        }
        // Last, so that a dead letter that cannot be stored does not hold up the others.
        for (handle, reason) in undecodable {
            self.put_aside(member, handle, &reason).await?;
        }
        Ok(())
    }

    /// Handles events in one transaction, and retries until the database can be used. `None` if the consumer is stopped first.
    async fn handle_through_outages(&self, heard: &[Heard], stop: &CancellationToken) -> Option<Result<(), Error>> {
        let mut outage = self.timing.outage.clone();
        while !stop.is_cancelled() {
            match self.handle(heard).await {
                Err(error) if is_outage(&error) => self.pause(&error, &mut outage, stop).await,
                outcome => return Some(outcome),
            }
        }
        None
    }

    /// Handles one event in its own transaction. A failure counts against the event only if the database can record it: a database that
    /// cannot write is an outage, whatever its error says.
    async fn handle_alone(&self, heard: &Heard, stop: &CancellationToken) -> Option<Verdict> {
        let mut outage = self.timing.outage.clone();
        while let Some(outcome) = self.handle_through_outages(slice::from_ref(heard), stop).await {
            let Err(error) = outcome else { return Some(Verdict::Handled) };
            match self.count_failure(&heard.event).await {
                Ok(failures) => return Some(Verdict::Failed { failures, error }),
                Err(unwritten) => self.pause(&unwritten, &mut outage, stop).await,
            }
        }
        None
    }

    async fn handle(&self, heard: &[Heard]) -> Result<(), Error> {
        if heard.is_empty() {
            return Ok(());
        }
        let mut lost = 0;
        let tally = loop {
            let outcome = self
                .database
                .transact("consume", |tx| async move {
                    if heard.len() > 1 {
                        tx.share();
                    }
                    let mut tally = Tally::default();
                    for heard in heard {
                        self.apply(&tx, heard, &mut tally).await?;
                    }
                    self.note_place(&tx, heard).await?;
                    Ok(tally)
                })
                .await;
            match outcome {
                // The concurrent transition has committed: the policy decides anew.
                Err(Error::Lost) if lost < MAX_LOST => lost += 1,
                outcome => break outcome?,
            }
        };
        metrics().consumer_handled.add(tally.done, &self.labels);
        metrics().consumer_unknown.add(tally.unknown, &self.labels);
        metrics().consumer_duplicates.add(tally.duplicates, &self.labels);
        BEFORE_ACK.reached();
        Ok(())
    }

    async fn apply(&self, tx: &Tx, heard: &Heard, tally: &mut Tally) -> Result<(), Error> {
        let event = &heard.event;
        if !inbox::is_new(tx, &self.name, event.key(), self.clock.now()).await? {
            tally.duplicates += 1;
            return Ok(());
        }
        let span = tracing::info_span!(
            "event",
            consumer = %self.name,
            kind = %event.kind,
            id = %event.id,
            correlation_id = %event.correlation_id,
        );
        let [context] = &self.labels;
        let process = trace::processing(event, self.bus.system(), &context.value, &self.name, self.clock.now());
        // A panic of a policy counts as a failure of the event: the event becomes a dead letter, instead of ending every process
        // that consumes it. Unwind safe, because policies share only state behind locks and in the database, and this transaction
        // is rolled back.
        let handled = AssertUnwindSafe(self.policies.handle(tx, event)).catch_unwind();
        let handled = handled.instrument(span).with_context(process.context().clone()).await;
        let handled = handled.unwrap_or_else(|_| Err(Error::Internal("a policy panicked".to_owned())));
        match handled.inspect_err(|_| process.failed())? {
            Handled::Done => tally.done += 1,
            Handled::Unknown => tally.unknown += 1,
        }
        if heard.deliveries > 1 {
            inbox::settled(tx, &self.name, event.key()).await?;
        }
        Ok(())
    }

    async fn acknowledge(&self, member: &mut dyn Subscription, heard: &[Heard]) -> Result<(), BusError> {
        let handles: Vec<u64> = heard.iter().map(|heard| heard.handle).collect();
        if handles.is_empty() { Ok(()) } else { member.ack(&handles).await }
    }

    /// Counts a failure of the event itself: delays the event, or makes it a dead letter if it has failed too often.
    async fn blame(
        &self,
        member: &mut dyn Subscription,
        heard: &Heard,
        failures: u32,
        error: &Error,
    ) -> Result<(), BusError> {
        let reason = reason(error);
        if failures < MAX_FAILURES {
            let delay = self.timing.retry.saturating_mul(1 << (failures.max(1) - 1));
            tracing::warn!(consumer = %self.name, id = %heard.event.id, failures, ?delay, reason, "failed to handle an event; will retry");
            return member.nak(heard.handle, delay).await;
        }
        if !self.put_aside(member, heard.handle, &format!("failed {failures} times: {reason}")).await? {
            return Ok(());
        }
        let key = heard.event.key();
        let settled = self.database.transact("settled", |tx| async move { inbox::settled(&tx, &self.name, key).await });
        if let Err(error) = settled.await {
            // The only effect is that a replay gets one attempt instead of several.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "failed to reset the failure count of a dead letter"
            );
        }
        Ok(())
    }

    /// Makes an event a dead letter, and returns whether that succeeded. If it did not, the event is delivered again later.
    async fn put_aside(&self, member: &mut dyn Subscription, handle: u64, reason: &str) -> Result<bool, BusError> {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        if let Err(error) = member.dead_letter(handle, &reason).await {
            let delay = self.timing.retry.saturating_mul(1 << MAX_FAILURES);
            tracing::warn!(consumer = %self.name, reason, ?delay, %error, "failed to store a dead letter; will retry");
            member.nak(handle, delay).await?;
            return Ok(false);
        }
        tracing::error!(consumer = %self.name, reason, "stored an event as a dead letter");
        metrics().consumer_dead_letters.add(1, &self.labels);
        Ok(true)
    }

    async fn count_failure(&self, event: &Event) -> Result<u32, Error> {
        self.database.transact("failure", |tx| async move { inbox::failed(&tx, &self.name, event.key()).await }).await
    }

    async fn pause<E>(&self, why: &E, outage: &mut Backoff, stop: &CancellationToken)
    where
        E: std::error::Error + Sync + 'static,
    {
        let delay = outage.failed();
        metrics().consumer_pauses.add(1, &self.labels);
        tracing::warn!(
        consumer = %self.name,
        ?delay,
        error = why as &dyn std::error::Error,
        "failed to use the database or the bus; will retry"
        );
        pause(delay, stop).await;
    }
}

/// Whether the database could not be used at all. Not if it refused a statement, timed out on it, or it kept losing to concurrent
/// transitions: those may be caused by what the policy writes for the event.
fn is_outage(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.is_outage())
}

/// The chain of causes, without the driver's own text: MySQL's quotes the values of the row.
fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|cause| !cause.is::<DbErr>()) {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
