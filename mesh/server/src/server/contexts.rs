//! The contexts behind a listener, which may take calls before they are there.
//!
//! A process listens first and waits for its databases then: whoever asks for its health is told NOT_SERVING, and whoever calls is
//! told to go elsewhere, in words that leave no doubt that nothing was done.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mesh_foundation::error::{Reason, Refusal};

use super::ContextService;

/// About as long as a database takes to come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The contexts of one process. Cheap to clone; clones are about the same contexts.
#[derive(Clone, Debug)]
pub struct Contexts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    services: Vec<&'static str>,
    open: OnceLock<HashMap<&'static str, ContextService>>,
}

/// What stands behind the name of a service.
pub(super) enum Behind {
    /// The context that serves it.
    Context(ContextService),
    /// A context that is to come.
    Starting,
    /// Nothing.
    Nothing,
}

impl Contexts {
    /// Contexts that are to come, with gRPC services of these full names.
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

/// Says that whoever is called will be there shortly.
pub(super) fn starting(service: &str) -> Refusal {
    Refusal::new(Reason::Starting, format!("{service} is starting"))
        .hint("call again; another one answers, or this one does in a moment")
        .retry_after(RETRY_AFTER)
}
