//! The stack of layers in front of a context.
//!
//! Every call passes it, whether it comes over a socket or from another context in the same process: both call [`ContextService`]. The
//! layers refuse a call before the context has done anything, with a reason that says so.
//!
//! [`serve`] puts the contexts of a process behind one socket, with health and reflection beside them.

mod access;
mod body;
mod card_guard;
mod compression;
mod connection;
mod content;
mod contexts;
mod deadline;
mod drain;
mod entry;
mod health;
mod identity;
mod in_flight;
mod layer;
mod line;
mod listener;
mod methods;
mod own;
mod panic_guard;
#[cfg(test)]
mod tests;
mod trace;

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{self, Poll},
};

use futures::future::BoxFuture;
use mesh_foundation::error::Error;
use mesh_transport::auth::{
    access::{AccessTable, CaseOwner, Rule},
    verify::Verifier,
};
use prost_reflect::DescriptorPool;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, service::Routes};
use tower::{Service, ServiceBuilder, ServiceExt};

use self::{
    access::Access,
    card_guard::CardGuard,
    deadline::Deadline,
    drain::Drain,
    entry::{Door, Entry},
    identity::Identity,
    in_flight::InFlight,
    layer::{Call, Reply, Rest, Wrap},
    methods::Methods,
    panic_guard::PanicGuard,
    trace::Trace,
};
pub use self::{
    contexts::Contexts,
    health::Health,
    listener::{ServeError, ServeOptions, serve},
    methods::contracts,
};
use crate::limits::LimitsConfig;

/// A context with its whole stack in front. Cheap to clone; clones share limits and drain.
#[derive(Clone)]
pub struct ContextService(Arc<Inner>);

struct Inner {
    name: &'static str,
    services: &'static [&'static str],
    draining: CancellationToken,
    door: Arc<dyn Door>,
}

/// The parts of a context from which its stack is made.
pub struct Parts {
    /// The context's name, as in `reservation`.
    pub name: &'static str,
    /// The full names of its gRPC services.
    pub services: &'static [&'static str],
    /// The services themselves, without any layer.
    pub routes: Routes,
    /// Who may call what; a method without a rule cannot be called.
    pub access: &'static [Rule],
    /// The contexts that have cases.
    pub owners: Arc<[CaseOwner]>,
}

impl ContextService {
    /// The stack in front of `context`, with the tokens that `verifier` accepts.
    pub fn new(context: impl Into<Parts>, verifier: Verifier, limits: &LimitsConfig) -> Result<Self, Error> {
        Self::of(context.into(), contracts()?, verifier, limits)
    }

    fn of(parts: Parts, pool: &DescriptorPool, verifier: Verifier, limits: &LimitsConfig) -> Result<Self, Error> {
        let Parts { name, services, routes, access, owners } = parts;
        let methods = Methods::of(pool, services)?;
        let table = AccessTable::new(access, &owners)?;
        let differences = table.differences(pool, services);
        if let Some(method) = differences.unknown.first() {
            return Err(Error::Internal(format!("{name} has a rule of access for {method}, which it does not serve")));
        }
        let draining = CancellationToken::new();
        let rest = ServiceBuilder::new()
            // Before any work, so that a caller may try another replica whatever it called.
            .layer(Wrap(Drain { context: name, stopping: draining.clone() }))
            // Around all that can take time, reading the request included.
            .layer(Wrap(Deadline))
            // Before the request is read, so that we read nothing from an unauthenticated caller.
            .layer(Wrap(Identity(verifier)))
            // After the identity, because a context's trace is continued and any other caller's is not. Unauthenticated calls create no
            // span, so they cannot flood the trace backend.
            .layer(Wrap(Trace { context: name }))
            // Before the request is read, too: it needs nothing but the identity.
            .layer(Wrap(Access(Arc::new(table))))
            // After the identity, because the limits are per caller; before anything that waits, so that a call that waits for its
            // request holds a permit. Also around the streams of this context, for as long as they are open.
            .layer(Wrap(InFlight::new(name, limits)))
            // Before the handler sees the request, and after the caller was permitted to send one.
            .layer(Wrap(CardGuard::new(limits.max_request_bytes)))
            // Innermost, because a panic may not pass through the layers that count and limit.
            .layer(Wrap(PanicGuard))
            .service(Handlers(routes.prepare()));
        // The entry goes around everything, so that a call refused by any layer is logged and counted, and its answer has the
        // correlation id.
        let door = Arc::new(Entry { methods, rest });
        Ok(Self(Arc::new(Inner { name, services, draining, door })))
    }

    /// The context's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The full names of its gRPC services.
    pub fn services(&self) -> &'static [&'static str] {
        self.0.services
    }

    /// From now on new calls are refused as DRAINING, and open streams end with it. Calls in flight go on. In a process of several
    /// contexts callers are drained before callees: a checkout that is being finished still has to reach payment.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// The same service for clients within the process.
    pub fn in_process(&self) -> mesh_transport::client::ContextService {
        mesh_transport::client::ContextService::new(self.clone())
    }
}

impl fmt::Debug for ContextService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextService").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Service<http::Request<Body>> for ContextService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.door.clone().take(request)
    }
}

/// The end of the stack: the context's own services.
struct Handlers(Routes);

impl Rest for Handlers {
    async fn answer(&self, call: Call) -> Reply {
        match self.0.clone().oneshot(call.request).await {
            Ok(reply) => reply,
            Err(never) => match never {},
        }
    }
}
