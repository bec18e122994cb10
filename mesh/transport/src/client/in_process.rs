//! The servers that run in this process.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use tonic::body::Body;
use tower::util::BoxCloneSyncService;

/// A context's whole server as one service, its layers included.
pub type ContextService = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;

/// The servers of this process, by the names of their contexts. A callee is looked up when a call is made, so that contexts can be built
/// in any order and call each other both ways. Cheap to clone; all clones are one registry.
#[derive(Clone, Default)]
pub struct InProcess(Arc<RwLock<HashMap<String, ContextService>>>);

impl InProcess {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on calls to `name` reach `service`.
    pub fn register(&self, name: impl Into<String>, service: ContextService) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), service);
    }

    /// From now on calls to `name` fail like calls to a process that has stopped.
    pub fn remove(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(super) fn find(&self, name: &str) -> Option<ContextService> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.read().unwrap_or_else(PoisonError::into_inner).keys()).finish()
    }
}
