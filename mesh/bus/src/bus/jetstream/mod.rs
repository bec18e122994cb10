//! The bus on NATS JetStream: what the mesh runs on.
//!
//! All events are in one stream, for ever; each consumer is a durable pull consumer of it, and what it could not handle is in a second
//! stream, with the reason. A dead letter that is replayed is published in the first one again, on a subject that only its consumer
//! hears, so that it is delivered, counted and acknowledged like anything else.
//!
//! The broker acknowledges an event when it has it on as many disks as the stream has replicas; the outbox is the truth nevertheless
//! (see [`relay`](crate::relay)). What it says about a consumer's place may be some moments old after a crash: what was acknowledged
//! then comes again, and the inbox knows it.
//!
//! No call waits longer than [`WAIT`] for the network, but for a fetch, which is told how long.

mod accounts;
mod connection;
mod consumer;
mod dead_letters;
mod envelope;
mod layout;
mod link;
mod member;
mod permissions;
mod publish;

use async_trait::async_trait;
use mesh_foundation::{event::Event, in_transaction::assert_no_transaction};
use uuid::Uuid;

pub use self::{
    accounts::Accounts,
    link::WAIT,
    permissions::{Hearing, Permissions},
};
use self::{link::Link, member::Member};
use super::{Bus, BusError, ConsumerSpec, DeadLetter, Extent, Position, Subscription};
use crate::config::BusConfig;

/// The bus on a NATS server or cluster. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct JetStreamBus(Link);

impl JetStreamBus {
    /// A bus for `client`, which is a context's name or the name of a tool, and that of its user if the broker has users: its replies
    /// come to `_INBOX_<client>.>`. Does not wait for the broker; whoever uses the bus is told as long as it is not there, and the
    /// connection is tried again and again.
    ///
    /// # Errors
    /// The configuration has no URL, or one that cannot be read, or names a file that cannot be read.
    pub async fn connect(config: &BusConfig, client: &str) -> Result<Self, BusError> {
        Ok(Self(connection::connect(config, client).await?))
    }

    /// Whether the broker answers and the streams are there. Makes them if they are not.
    ///
    /// # Errors
    /// They are not, and why.
    pub async fn ready(&self) -> Result<(), BusError> {
        self.0.make_ready().await
    }
}

#[async_trait]
impl Bus for JetStreamBus {
    fn system(&self) -> &'static str {
        "nats"
    }

    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError> {
        assert_no_transaction("publish");
        publish::publish(&self.0, events).await
    }

    async fn holds(&self, position: Position, event: Uuid) -> Result<bool, BusError> {
        assert_no_transaction("holds");
        let Ok(sequence) = u64::try_from(position) else { return Ok(false) };
        self.0.make_ready().await?;
        let look = publish::is_at(&self.0, sequence, event);
        self.0.run("holds", layout::api("STREAM.MSG.GET", layout::STREAM), look).await
    }

    async fn newest(&self, context: &str) -> Result<Option<Uuid>, BusError> {
        self.0.make_ready().await?;
        let look = publish::newest(&self.0, context);
        self.0.run("newest", layout::api("STREAM.MSG.GET", layout::STREAM), look).await
    }

    async fn extent(&self) -> Result<Extent, BusError> {
        assert_no_transaction("extent");
        self.0.make_ready().await?;
        let look = layout::extent(self.0.context());
        self.0.run("look at the stream", layout::api("STREAM.INFO", layout::STREAM), look).await
    }

    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError> {
        assert_no_transaction("subscribe");
        Ok(Box::new(Member::join(self.0.clone(), spec).await?))
    }

    async fn forget(&self, consumer: &str) -> Result<(), BusError> {
        assert_no_transaction("forget");
        consumer::forget(&self.0, consumer).await
    }

    async fn pending(&self, consumer: &str) -> Result<u64, BusError> {
        consumer::pending(&self.0, consumer).await
    }

    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError> {
        dead_letters::newest(&self.0, limit).await
    }

    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError> {
        assert_no_transaction("replay");
        dead_letters::replay(&self.0, consumer).await
    }
}

/// Why the library could not do something: its errors are many types.
type Cause = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
