//! The bus as a port: durable, at least once, in any order. The outbox before it and the inbox behind it make delivery effectively
//! once.
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

/// A bus, shared by all its users.
pub type SharedBus = Arc<dyn Bus>;

/// A failure of the bus. Not caused by an event, unless it names events.
#[derive(Debug, thiserror::Error)]
#[error("the bus failed: {what}")]
pub struct BusError {
    /// The operation.
    pub what: &'static str,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
    /// The events that it refuses, however often they are published: too large, or on a route without permission. It may accept the
    /// others without them. Empty if it failed as a whole.
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

/// The position of a message in the stream, from 1 on; later messages have higher positions.
pub type Position = i64;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The position of its oldest message, or of the next one if it is empty: earlier messages have been dropped.
    pub first: Position,
    /// How many messages it holds.
    pub messages: u64,
    /// Whether an operator has limited its age or size, so that it drops messages.
    pub is_limited: bool,
}

impl Extent {
    /// Everything that was ever stored.
    pub const ALL: Self = Self { first: 1, messages: u64::MAX, is_limited: false };
}

/// A durable consumer: its name and its filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Unique on the bus and stable: the bus keeps the consumer's place under it. A new name starts at the oldest event.
    pub name: String,
    /// Route patterns as in NATS (`jumak.room.v1.room.*`, `jumak.>`); an event that matches any of them is delivered once. Changed
    /// patterns apply to events that have not been delivered yet.
    pub filters: Vec<String>,
    /// How long a delivery may stay unacknowledged before it is delivered again.
    pub ack_wait: Duration,
}

/// A message as delivered. The parts are raw, because an undecodable message must still become a dead letter.
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

/// A message that could not be handled, kept for the operator (`jumak dead-letters`).
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The consumer that could not handle it.
    pub consumer: String,
    /// The message.
    pub delivery: Delivery,
    /// Why, in a word and a sentence.
    pub reason: String,
}

/// The port. No call waits for ever: each adapter bounds its calls.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// The name of this kind of bus in traces, OpenTelemetry's where it has one: `nats`, `embedded`.
    fn system(&self) -> &'static str;

    /// Stores `events` durably and returns the position of each. An event that was stored recently is not stored again, and keeps its
    /// position; the adapter defines how recently. After an error the outcome is unknown: publish the same events again, without those
    /// that the error names.
    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError>;

    /// Whether the event of that [key](Event::key) is (still) at that position. When a disk or a cluster fails, a stream can lose its
    /// newest events or all of them; later events then get the same positions.
    async fn holds(&self, position: Position, event: Uuid) -> Result<bool, BusError>;

    /// The id of the newest event of `context` that the stream holds.
    async fn newest(&self, context: &str) -> Result<Option<Uuid>, BusError>;

    /// The extent of the stream now. A bus that never drops anything need not implement it.
    async fn extent(&self) -> Result<Extent, BusError> {
        Ok(Extent::ALL)
    }

    /// Whether the event of that key was at that position and is lost. An event that was dropped together with all before it is not lost:
    /// later positions are unchanged.
    async fn has_lost(&self, position: Position, event: Uuid) -> Result<bool, BusError> {
        Ok(!self.holds(position, event).await? && position >= self.extent().await?.first)
    }

    /// Creates the consumer, or resumes it at its place.
    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError>;

    /// Forgets the consumer's place, if there is one: created again, it gets everything from the beginning. Its members must subscribe
    /// again. Its dead letters are kept.
    async fn forget(&self, consumer: &str) -> Result<(), BusError>;

    /// Whether the stream and the places of consumers are stored together, so that a failure takes them back to one moment. A consumer's
    /// place is then never beyond the end of the stream, and nothing has to be consumed from the beginning.
    fn keeps_places_with_stream(&self) -> bool {
        false
    }

    /// How many events the consumer of that name has not acknowledged yet, delivered or not. A name that never subscribed is an error,
    /// because the bus does not know its filters.
    async fn pending(&self, consumer: &str) -> Result<u64, BusError>;

    /// The newest `limit` dead letters.
    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError>;

    /// Delivers every dead letter of `consumer` to it again, and returns how many there were.
    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError>;

    /// Starts the adapter's background work.
    fn start(&self, _background: &Background) {}

    /// Closes the adapter's resources. No method may be called after that.
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
    /// Waits up to `wait` for a message, and returns up to `max` available messages.
    async fn fetch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError>;

    /// Acknowledges handled messages. Resolves when the acknowledgement is sent; once it has arrived, the bus does not deliver them to
    /// this consumer again. If it is lost, because the bus or the connection fails at this moment, they are redelivered, and the inbox
    /// skips them.
    async fn ack(&mut self, handles: &[u64]) -> Result<(), BusError>;

    /// This one was not handled; it is delivered again after `delay`.
    async fn nak(&mut self, handle: u64, delay: Duration) -> Result<(), BusError>;

    /// This one cannot be handled: stores it as a dead letter with the reason. It is delivered again only if it is replayed.
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
