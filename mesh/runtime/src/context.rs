//! What a bounded context hands over to whoever runs it: its routes, who may call them, what it hears, and what it does by itself.

pub use mesh_bus::{
    policies::{Handled, Hears, Policies},
    wiring::Wiring,
};
use mesh_foundation::{background::Background, clock::Clock};
use mesh_server::server::Parts;
use mesh_store::db::Database;
use mesh_transport::{auth::access::Rule, client::Upstreams};
use tonic::service::Routes;

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
    /// The services themselves, without any layer: the [`server`](mesh_server::server) adds those.
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

impl From<&Context> for Parts {
    fn from(context: &Context) -> Self {
        let Context { name, services, access, .. } = *context;
        Self { name, services, routes: context.routes.clone(), access }
    }
}
