//! The bus as a port: durable, at least once, in any order. What makes it effectively once is the outbox before it and the inbox
//! behind it.
//!
//! Adapters: [`jetstream`], on NATS, for the mesh; [`embedded`], in a SQLite file, for `jumak up`. One conformance suite runs on both.

#[cfg(test)]
pub(crate) mod conformance;
pub mod embedded;
pub mod jetstream;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use mesh_foundation::{background::Background, event::Event};
use uuid::Uuid;

/// A bus, shared by all who use it.
pub type SharedBus = Arc<dyn Bus>;

/// What the bus cannot do right now; unless it names events, never the fault of one.
#[derive(Debug, thiserror::Error)]
#[error("the bus failed: {what}")]
pub struct BusError {
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
    /// The events that it does not take, however often they are published: too large for it, or where it does not let us publish.
    /// Without them it may take the others. Empty if it failed as a whole.
    pub refused: Vec<Uuid>,
}

impl BusError {
    /// `what` failed because of `source`.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what, source: source.into(), refused: Vec::new() }
    }

    /// The same, because of the events of these ids.
    #[must_use]
    pub fn refusing(self, refused: Vec<Uuid>) -> Self {
        Self { refused, ..self }
    }
}

/// Where a message is in the stream, from 1 on: one that was stored later is behind it.
pub type Position = i64;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where its oldest message is, or the next one will be if it holds none: what was stored before has been dropped.
    pub first: Position,
    /// How many messages it holds.
    pub messages: u64,
    /// Whether it drops what is too old, or too much: somebody has limited it.
    pub is_limited: bool,
}

impl Extent {
    /// Everything that was ever stored.
    pub const ALL: Self = Self { first: 1, messages: u64::MAX, is_limited: false };
}

/// A durable consumer: its name and what it hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Unique on the bus and stable: the bus keeps the consumer's place under it. A name not seen before starts at the oldest event.
    pub name: String,
    /// Route patterns as NATS has them (`jumak.room.v1.room.*`, `jumak.>`); an event that matches any of them is heard once. When
    /// they are others than last time, they hold for what has not been delivered yet.
    pub filters: Vec<String>,
    /// How long a delivery may stay unacknowledged before it is delivered again.
    pub ack_wait: Duration,
}

/// A message as delivered: the raw parts, because what cannot be read must still be put aside.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The adapter's handle for acknowledging it.
    pub handle: u64,
    /// Where it was published.
    pub route: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub data: Vec<u8>,
    /// How often it has been delivered to this consumer, this time included.
    pub deliveries: u32,
}

/// A message that was put aside, for `jumak dead-letters` to come and for whoever operates the installation.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The consumer that could not handle it.
    pub consumer: String,
    /// The message.
    pub delivery: Delivery,
    /// Why, in a word and a sentence.
    pub reason: String,
}

/// The port. No call waits for ever: each adapter bounds its own.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// What traces call this kind of bus, in OpenTelemetry's words where it has one: `nats`, `embedded`.
    fn system(&self) -> &'static str;

    /// Stores `events` durably and tells where each of them is. One that was stored some moments ago is passed over and is where it
    /// was; how long ago that may be is the adapter's to say. On an error nothing is known: publish the same events again, without
    /// those that the error names.
    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError>;

    /// Whether the event of that [key](Event::key) is (still) at that position. A stream can lose what was stored last, or all of it,
    /// when a disk or a cluster fails; and then other events come to be at those positions.
    async fn holds(&self, position: Position, event: Uuid) -> Result<bool, BusError>;

    /// The id of the newest event of `context` that the stream holds.
    async fn newest(&self, context: &str) -> Result<Option<Uuid>, BusError>;

    /// What the stream holds now. A bus that never drops anything need not say.
    async fn extent(&self) -> Result<Extent, BusError> {
        Ok(Extent::ALL)
    }

    /// Whether the event of that key was at that position and is lost. What has been dropped in its turn, with all before it, is not: the
    /// positions behind it are what they were.
    async fn has_lost(&self, position: Position, event: Uuid) -> Result<bool, BusError> {
        Ok(!self.holds(position, event).await? && position >= self.extent().await?.first)
    }

    /// Makes the consumer, or finds its place again.
    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError>;

    /// Forgets the consumer's place, if there is one: made anew it hears everything from the beginning. Members that it has must
    /// subscribe again. What it has put aside stays there.
    async fn forget(&self, consumer: &str) -> Result<(), BusError>;

    /// How many events the consumer of that name has not acknowledged yet, delivered or not. A name that never subscribed is an
    /// error: it waits for everything or for nothing, and the bus cannot know.
    async fn pending(&self, consumer: &str) -> Result<u64, BusError>;

    /// The newest `limit` dead letters.
    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError>;

    /// Delivers every dead letter of `consumer` to it again, and tells how many there were.
    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError>;

    /// Starts what the adapter does by itself.
    fn start(&self, _background: &Background) {}

    /// Lets go of what the adapter holds open. Nothing else may be asked of it after that.
    async fn close(&self) {}
}

impl fmt::Debug for dyn Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bus").field(&self.system()).finish()
    }
}

/// One member of a durable consumer. Members of the same name share the work.
#[async_trait]
pub trait Subscription: Send + 'static {
    /// Waits up to `wait` for at least one message and returns at most `max` that are there.
    async fn fetch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError>;

    /// These were handled. Resolves when the bus is told so; they are not delivered to this consumer again once it has heard it. If it never
    /// does, because it or the way to it fails in this moment, they are, and whoever hears them knows them by the inbox.
    async fn ack(&mut self, handles: &[u64]) -> Result<(), BusError>;

    /// This one was not handled; it is delivered again after `delay`.
    async fn nak(&mut self, handle: u64, delay: Duration) -> Result<(), BusError>;

    /// This one cannot be handled: puts it aside with the reason and never delivers it again unless replayed.
    async fn dead_letter(&mut self, handle: u64, reason: &str) -> Result<(), BusError>;
}

/// Whether `route` matches a pattern: `*` is one element, a last `>` is one or more.
pub fn matches(pattern: &str, route: &str) -> bool {
    let mut route = route.split('.');
    let mut pattern = pattern.split('.').peekable();
    while let Some(part) = pattern.next() {
        if part == ">" && pattern.peek().is_none() {
            return route.next().is_some();
        }
        match route.next() {
            Some(element) if part == "*" || part == element => {}
            _ => return false,
        }
    }
    route.next().is_none()
}
