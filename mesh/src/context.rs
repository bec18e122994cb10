//! What a bounded context hands over to whoever runs it: its routes, who may call them, what it hears, and what it does by itself.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::service::Routes;

use crate::{
    auth::access::Rule,
    background::Background,
    bus::SharedBus,
    client::Upstreams,
    clock::Clock,
    db::{Database, Tx},
    error::Error,
    event::Event,
};

/// What a context is given to live on.
#[derive(Clone)]
pub struct Deps {
    /// Its own database, migrated.
    pub database: Database,
    /// The other contexts.
    pub upstreams: Upstreams,
    /// The time.
    pub clock: Clock,
    /// Where its loops and detached tasks run.
    pub background: Background,
}

/// What a context is, once it has been put together.
pub struct Context {
    /// Its name, as in `reservation`.
    pub name: &'static str,
    /// The full names of its gRPC services, as in `jumak.reservation.v1.ReservationService`.
    pub services: &'static [&'static str],
    /// The services themselves, without any layer: the [`server`](crate::server) adds those.
    pub routes: Routes,
    /// Who may call what; what does not stand here cannot be called.
    pub access: &'static [Rule],
    /// What it hears; none for a context that hears nothing.
    pub hears: Option<Hears>,
    /// Its database, for the relay and the consumer.
    pub database: Database,
    /// Loops of its own: sweepers, recovery. Each is started with the context's [`Background`].
    pub start: Box<dyn FnOnce(&Background) + Send>,
}

/// A context's one consumer.
#[derive(Clone)]
pub struct Hears {
    /// Route patterns, as in `jumak.payment.>`.
    pub filters: Vec<String>,
    /// The policies.
    pub policies: Arc<dyn Policies>,
    /// Whether the context can be made again from the events alone: then a new database hears everything from the beginning.
    pub projection: bool,
}

/// "Whenever X, then Y." Called inside the transaction that also holds the inbox row; may be called in any order and, after a
/// rollback, again. Must not call out.
#[async_trait]
pub trait Policies: Send + Sync + 'static {
    /// Handles one event. An event of a kind that the context does not know is [`Handled::Unknown`].
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error>;
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It was applied, or there was nothing to do.
    Done,
    /// This context does not know events of that kind; acknowledged and counted.
    Unknown,
}

/// The bus that a running process uses, beside its contexts.
#[derive(Clone)]
pub struct Wiring {
    /// The bus.
    pub bus: SharedBus,
    /// Where the loops run.
    pub background: Background,
    /// The time.
    pub clock: Clock,
}
