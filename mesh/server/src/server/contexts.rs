//! The contexts behind a listener, which accepts connections before the contexts are open.
//!
//! 1. A process listens. Health checks answer NOT_SERVING, and calls are refused as STARTING, so that the caller knows that nothing was
//!    done and calls another replica.
//! 2. It waits for its databases.
//! 3. It opens the contexts, and calls reach them.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mesh_foundation::error::{Reason, Refusal};

use super::ContextService;

/// About as long as a database takes to restart.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The contexts of one process. Cheap to clone; clones share the contexts.
#[derive(Clone, Debug)]
pub struct Contexts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    services: Vec<&'static str>,
    open: OnceLock<HashMap<&'static str, ContextService>>,
}

/// The target of a service name.
pub(super) enum Behind {
    /// The context that serves it.
    Context(ContextService),
    /// A context that is not open yet.
    Starting,
    /// Nothing.
    Nothing,
}

impl Contexts {
    /// Contexts that are not open yet, with gRPC services of these full names.
    pub fn expected(services: impl IntoIterator<Item = &'static str>) -> Self {
        Self(Arc::new(Inner { services: services.into_iter().collect(), open: OnceLock::new() }))
    }

    /// From now on calls reach `contexts`. They are opened once: a second time changes nothing.
    pub fn open(&self, contexts: impl IntoIterator<Item = ContextService>) {
        let by_service = |context: ContextService| context.services().iter().map(move |name| (*name, context.clone()));
        self.0.open.get_or_init(|| contexts.into_iter().flat_map(by_service).collect());
    }

    /// The full names of their gRPC services.
    pub(super) fn services(&self) -> &[&'static str] {
        &self.0.services
    }

    pub(super) fn behind(&self, service: &str) -> Behind {
        match self.0.open.get() {
            Some(open) => open.get(service).cloned().map_or(Behind::Nothing, Behind::Context),
            None if self.0.services.contains(&service) => Behind::Starting,
            None => Behind::Nothing,
        }
    }
}

impl From<Vec<ContextService>> for Contexts {
    fn from(contexts: Vec<ContextService>) -> Self {
        let open = Self::expected(contexts.iter().flat_map(ContextService::services).copied());
        open.open(contexts);
        open
    }
}

/// The refusal of a call to a context that is not open yet.
pub(super) fn starting(service: &str) -> Refusal {
    Refusal::new(Reason::STARTING, format!("{service} is starting"))
        .hint("call again: another replica answers, or this one will shortly")
        .retry_after(RETRY_AFTER)
}
