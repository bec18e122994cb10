//! What a context does with the events that it consumes.

use std::sync::Arc;

use async_trait::async_trait;
use mesh_foundation::{error::Error, event::Event};
use mesh_store::db::Tx;

/// "Whenever X, then Y." Called inside the transaction that also holds the inbox row; may be called in any order and, after a
/// rollback, again. Must not call out.
#[async_trait]
pub trait Policies: Send + Sync + 'static {
    /// Handles one event. An event of a kind that the context does not know is [`Handled::Unknown`].
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error>;
}

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was applied, or there was nothing to do.
    Done,
    /// This context does not know events of that kind; acknowledged and counted.
    Unknown,
}

/// A context's one consumer.
#[derive(Clone)]
pub struct Hears {
    /// Route patterns, as in `jumak.payment.>`.
    pub filters: Vec<String>,
    /// The policies.
    pub policies: Arc<dyn Policies>,
    /// Whether the context can be rebuilt from the events alone: then a new database consumes everything from the beginning.
    pub projection: bool,
}
