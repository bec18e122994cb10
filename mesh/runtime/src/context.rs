//! What a bounded context is and what it is made of.
//!
//! Each context is described once, by a [`Descriptor`]. Whoever runs, calls, configures, audits or tests contexts takes what it needs to
//! know of one from there; no list of contexts stands anywhere else, but where two lists are written in order to be compared.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use mesh_bus::hearing::Hearing;
pub use mesh_bus::{
    policies::{Handled, Hears, Policies},
    wiring::Wiring,
};
use mesh_checkout::checkout::CaseEntry;
use mesh_foundation::{background::Background, clock::Clock, error::Error, reason::Reason};
use mesh_server::server;
use mesh_store::{db::Database, store::Schema};
pub use mesh_transport::auth::access::CaseOwner;
use mesh_transport::{auth::access::Rule, client::Upstreams};
use tonic::service::Routes;

use crate::config::{AnySection, Config};

/// A context, described before it runs.
pub struct Descriptor {
    /// Its name, as in `reservation`.
    pub name: &'static str,
    /// What it is for, on one line.
    pub about: &'static str,
    /// The full names of its gRPC services, as in `jumak.reservation.v1.ReservationService`.
    pub services: &'static [&'static str],
    /// Who may call what; what does not stand here cannot be called.
    pub access: &'static [Rule],
    /// What the others are without it.
    pub rank: Rank,
    /// The contexts that it calls.
    pub calls: &'static [Call],
    /// Its cases; none for a context that sells nothing.
    pub cases: Option<CaseBook>,
    /// The reasons for which it alone refuses calls.
    pub reasons: &'static [Reason],
    /// The reasons of other contexts that it reads in their answers, or answers itself in the same meaning.
    pub reasons_of_others: &'static [Reason],
    /// Its section of the configuration; none for a context that lets nothing be configured.
    pub settings: Option<AnySection>,
    /// How it hears events; none for a context that hears nothing.
    pub hears: Option<Subscription>,
    /// Its tables.
    pub schema: Schema,
    /// Puts it together, on a database that is up to date.
    pub assemble: fn(Deps, &Config) -> Assembling,
}

/// A context that is being put together.
pub type Assembling = Pin<Box<dyn Future<Output = Result<Parts, Error>> + Send>>;

/// What the other contexts are without this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Nothing can be sold without it.
    Core,
    /// It may be left out: no core context calls it.
    Supporting,
    /// A party of its own that is served here, as the simulated provider is. It has an API and no events.
    Outside,
}

/// The cases of a context.
#[derive(Clone, Copy, Debug)]
pub struct CaseBook {
    /// The collection that their names are in, as in `reservations`. Payment takes money for cases of this collection from this
    /// context, and from no other.
    pub collection: &'static str,
    /// Reads all of them, for the audit.
    pub read: fn(Database) -> CaseReading,
}

/// Cases that are being read.
pub type CaseReading = Pin<Box<dyn Future<Output = Result<Vec<CaseEntry>, Error>> + Send>>;

/// A context that is called.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Which.
    pub callee: &'static str,
    /// How long its caller waits for an answer at least, where that may be more than `client.timeout_ms`.
    pub patience: Option<fn(&Config) -> Duration>,
}

impl Call {
    /// A call that is given up after `client.timeout_ms`.
    pub const fn to(callee: &'static str) -> Self {
        Self { callee, patience: None }
    }

    /// A call that is waited for as long as `patience` says. What is configured there is not cut short by the stack below.
    pub const fn patient(callee: &'static str, patience: fn(&Config) -> Duration) -> Self {
        Self { callee, patience: Some(patience) }
    }
}

/// How a context hears the others' events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Each once, for as long as there is the context.
    Once,
    /// All of them from the beginning, whenever its database is a new one: it can be made again from the events alone.
    Projection,
}

impl Descriptor {
    /// Whether it tells or hears events.
    pub fn uses_bus(&self) -> bool {
        self.rank != Rank::Outside
    }

    /// Puts the context together, on a database that is up to date.
    pub async fn context(&'static self, deps: Deps, config: &Config) -> Result<Context, Error> {
        let (database, owners) = (deps.database.clone(), deps.owners.clone());
        let parts = (self.assemble)(deps, config).await?;
        Ok(Context { descriptor: self, database, owners, parts })
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a context is given to live on.
#[derive(Clone)]
pub struct Deps {
    /// Its own database, migrated.
    pub database: Database,
    /// The other contexts.
    pub upstreams: Upstreams,
    /// The contexts that have cases, whether they run or not.
    pub owners: Arc<[CaseOwner]>,
    /// The time.
    pub clock: Clock,
    /// Where its loops and detached tasks run.
    pub background: Background,
}

/// What a context is put together from.
pub struct Parts {
    /// The services, without any layer: the [`server`] adds those.
    pub routes: Routes,
    /// What it hears, and what it does about that; there if it hears anything.
    pub hears: Option<Hears>,
    /// Loops of its own: sweepers, recovery. Each is started with the context's [`Background`].
    pub start: Box<dyn FnOnce(&Background) + Send>,
}

impl Parts {
    /// These services, and nothing that happens by itself.
    pub fn serving(routes: Routes) -> Self {
        Self { routes, hears: None, start: Box::new(|_| {}) }
    }

    /// With what it hears.
    #[must_use]
    pub fn hearing<S: Send + Sync + 'static>(self, hearing: Hearing<S>) -> Self {
        Self { hears: Some(hearing.hears(false)), ..self }
    }

    /// With loops of its own.
    #[must_use]
    pub fn looping(self, start: impl FnOnce(&Background) + Send + 'static) -> Self {
        Self { start: Box::new(start), ..self }
    }
}

/// A context, once it has been put together.
pub struct Context {
    /// What it is.
    pub descriptor: &'static Descriptor,
    /// Its database, for the relay and the consumer.
    pub database: Database,
    /// The contexts that have cases.
    pub owners: Arc<[CaseOwner]>,
    /// What it is made of.
    pub parts: Parts,
}

impl From<&Context> for server::Parts {
    fn from(context: &Context) -> Self {
        let Descriptor { name, services, access, .. } = *context.descriptor;
        Self { name, services, routes: context.parts.routes.clone(), access, owners: context.owners.clone() }
    }
}

impl Context {
    /// Its consumer; none for a context that hears nothing.
    pub fn hears(&self) -> Option<Hears> {
        let projection = self.descriptor.hears? == Subscription::Projection;
        Some(Hears { projection, ..self.parts.hears.clone()? })
    }
}
