//! Hears what other contexts say and hands it to a context's policies, effectively once.
//!
//! What a fetch brings is handled in one transaction, effects and inbox rows together, and acknowledged after the commit. If the
//! transaction fails, whose fault it is decides what happens:
//! - the database's or the network's: the consumer pauses and tries the same events again, and none of them is blamed;
//! - an event's: each is handled alone, and the one that fails alone waits its turn, longer each time, until it is put aside.

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

/// A consumer's effects are committed; the broker has not been told.
pub const BEFORE_ACK: KillPoint = KillPoint::named("before_ack");

/// Events that are handled in one transaction.
const BATCH: usize = 100;
/// How long a fetch waits when there is nothing. For so long a broker may go on delivering to one who asked and was killed.
pub(crate) const FETCH_WAIT: Duration = Duration::from_secs(10);
/// How often a consumer looks whether the stream has lost what it has handled.
const LOOK: Duration = Duration::from_secs(30);
/// How often an event may fail alone before it is put aside.
const MAX_FAILURES: u32 = 5;
/// How often a transaction in which another transition was faster is run again.
const MAX_LOST: u32 = 3;
/// Characters of a dead letter's reason.
const MAX_REASON: usize = 500;

/// How patient a consumer is.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// How long a delivery is this member's: also how long the events of a member that died are kept back.
    pub(crate) ack_wait: Duration,
    /// The waits while the database or the bus cannot be used.
    pub(crate) outage: Backoff,
    /// How long an event waits after its first failure; twice as long after each further one.
    pub(crate) retry: Duration,
}

impl Default for Pace {
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
    start_at(Pace::default(), context, database, hears, wiring).await
}

pub(crate) async fn start_at(
    pace: Pace,
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
        pace,
        labels: [KeyValue::new("context", context.to_owned())],
        gap: AtomicI64::new(0),
    };
    wiring.background.run(Phase::Consumers, format!("{context}-consumer"), |stop| consumer.run(stop));
    Ok(())
}

/// The name under which the bus keeps the context's place. A projection's goes with its database: thrown away, it comes back as
/// another consumer and hears everything from the beginning.
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
    pace: Pace,
    labels: [KeyValue; 1],
    /// The first position of the stream when it was last said that some before it are missing.
    gap: AtomicI64,
}

/// An event as it came.
struct Heard {
    handle: u64,
    deliveries: u32,
    event: Event,
}

/// What became of a batch, event by event.
#[derive(Default)]
struct Tally {
    done: u64,
    unknown: u64,
    duplicates: u64,
}

/// What became of an event that was handled alone.
enum Verdict {
    Handled,
    Failed { failures: u32, error: Error },
}

impl Consumer {
    async fn run(self, stop: CancellationToken) {
        let mut outage = self.pace.outage.clone();
        // Absent before the first subscription, and when the place that the bus keeps may be wrong.
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
                // What a fetch that is dropped has taken is delivered again: nothing was acknowledged.
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

    /// Subscribes, however long it takes until the bus can be used. `None` if the consumer is to stop before.
    async fn subscribe(&self, stop: &CancellationToken) -> Option<Box<dyn Subscription>> {
        let mut outage = self.pace.outage.clone();
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
        self.bus.subscribe(ConsumerSpec { name, filters, ack_wait: self.pace.ack_wait }).await
    }

    /// Handles what was fetched, one way or another, and tells the bus.
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
        // What has come before may be what spoiled a batch then; it does not get to spoil another one.
        let (mut alone, together): (Vec<_>, Vec<_>) = heard.into_iter().partition(|heard| heard.deliveries > 1);
        match self.handle_through_outages(&together, stop).await {
            None => return Ok(()),
            Some(Ok(())) => self.acknowledge(member, &together).await?,
            Some(Err(error)) => {
                tracing::debug!(consumer = %self.name, reason = reason(&error), "a batch failed: each event alone");
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
        // Last: one that cannot be put aside takes nothing from the others.
        for (handle, reason) in undecodable {
            self.put_aside(member, handle, &reason).await?;
        }
        Ok(())
    }

    /// Handles events in one transaction, however long it takes until the database can be used. `None` if the consumer is to stop
    /// before.
    async fn handle_through_outages(&self, heard: &[Heard], stop: &CancellationToken) -> Option<Result<(), Error>> {
        let mut outage = self.pace.outage.clone();
        while !stop.is_cancelled() {
            match self.handle(heard).await {
                Err(error) if is_outage(&error) => self.pause(&error, &mut outage, stop).await,
                outcome => return Some(outcome),
            }
        }
        None
    }

    /// Handles one event in a transaction of its own. A failure counts against the event only if the database can write it down:
    /// one that can write nothing is an outage, by whatever error it shows.
    async fn handle_alone(&self, heard: &Heard, stop: &CancellationToken) -> Option<Verdict> {
        let mut outage = self.pace.outage.clone();
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
                    let mut tally = Tally::default();
                    for heard in heard {
                        self.apply(&tx, heard, &mut tally).await?;
                    }
                    self.note_place(&tx, heard).await?;
                    Ok(tally)
                })
                .await;
            match outcome {
                // Whoever was faster has committed: the policy decides anew.
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
        // A policy that panics fails like one that says so: the event is counted and put aside, instead of ending every process that
        // hears it. Unwind safe, because a policy shares with others only what is behind a lock or in the database, and this
        // transaction is rolled back.
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

    /// Lets an event that failed by its own fault wait, or puts it aside if it has failed too often.
    async fn blame(
        &self,
        member: &mut dyn Subscription,
        heard: &Heard,
        failures: u32,
        error: &Error,
    ) -> Result<(), BusError> {
        let reason = reason(error);
        if failures < MAX_FAILURES {
            let delay = self.pace.retry.saturating_mul(1 << (failures.max(1) - 1));
            tracing::warn!(consumer = %self.name, id = %heard.event.id, failures, ?delay, reason, "an event failed");
            return member.nak(heard.handle, delay).await;
        }
        if !self.put_aside(member, heard.handle, &format!("failed {failures} times: {reason}")).await? {
            return Ok(());
        }
        let key = heard.event.key();
        let settled = self.database.transact("settled", |tx| async move { inbox::settled(&tx, &self.name, key).await });
        if let Err(error) = settled.await {
            // Then a replay gets one try instead of several.
            tracing::warn!(error = &error as &dyn std::error::Error, "the failures of a dead letter are still counted");
        }
        Ok(())
    }

    /// Puts an event aside, and tells whether that was possible. If it was not, the event comes again later.
    async fn put_aside(&self, member: &mut dyn Subscription, handle: u64, reason: &str) -> Result<bool, BusError> {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        if let Err(error) = member.dead_letter(handle, &reason).await {
            let delay = self.pace.retry.saturating_mul(1 << MAX_FAILURES);
            tracing::warn!(consumer = %self.name, reason, ?delay, %error, "an event could not be put aside");
            member.nak(handle, delay).await?;
            return Ok(false);
        }
        tracing::error!(consumer = %self.name, reason, "an event was put aside");
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
        tracing::warn!(consumer = %self.name, ?delay, error = why as &dyn std::error::Error, "the consumer pauses");
        pause(delay, stop).await;
    }
}

/// Whether the database could not be used at all: a statement that it refuses, is too slow with, or that loses however often it is
/// run may be the fault of what the event made a policy write.
fn is_outage(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.is_outage())
}

/// The chain of causes down to the driver's own text, which is left out: MySQL's quotes the values of the row.
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
