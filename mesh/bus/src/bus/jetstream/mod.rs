//! The bus on NATS JetStream: what the mesh runs on.
//!
//! All events are in one stream, for ever. Each consumer is a durable pull consumer of it. Dead letters are in a second stream, with the
//! reason. A dead letter is replayed by publishing it in the first stream again, on a subject that only its consumer receives, so that it
//! is delivered, counted and acknowledged like any other message.
//!
//! The broker acknowledges an event when it is stored on as many servers as the stream has replicas. The outbox is the source of truth
//! nevertheless (see [`relay`](crate::relay)). After a crash of the broker a consumer's place may be slightly old: acknowledged messages
//! are then delivered again, and the inbox skips them.
//!
//! No call waits longer than [`WAIT`] for the network, except a fetch, which is given its own wait.

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
    /// A bus for `client`: the name of a context or a tool, and of its user if the broker has users. Its replies arrive on
    /// `_INBOX_<client>.>`. Does not wait for the broker: while the broker is away, calls fail, and the client keeps reconnecting.
    ///
    /// # Errors
    /// The configuration has no URL, or one that cannot be read, or names a file that cannot be read.
    pub async fn connect(config: &BusConfig, client: &str) -> Result<Self, BusError> {
        Ok(Self(connection::connect(config, client).await?))
    }

    /// Checks that the broker answers and the streams exist. Creates missing streams.
    ///
    /// # Errors
    /// The broker does not answer, or a stream cannot be created.
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

/// The library's error: its errors are of many types.
type Cause = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
