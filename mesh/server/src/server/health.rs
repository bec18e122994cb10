//! The health of the process (`grpc.health.v1`), for load balancers and Kubernetes.

use std::sync::Arc;

use tonic_health::{ServingStatus, server::HealthReporter};

use super::Contexts;

/// The name of the server as a whole.
const OVERALL: &str = "";

/// The health of a process. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Arc<[&'static str]>,
}

impl Health {
    /// Begins with NOT_SERVING. tonic would begin with SERVING, and calls would come before any context can answer them.
    pub async fn not_ready(contexts: &Contexts) -> Self {
        let services = std::iter::once(OVERALL).chain(contexts.services().iter().copied());
        let health = Self { reporter: HealthReporter::new(), services: services.collect() };
        health.all(ServingStatus::NotServing).await;
        health
    }

    /// All contexts are open: calls may come.
    pub async fn ready(&self) {
        self.all(ServingStatus::Serving).await;
    }

    /// The process is stopping: calls should go elsewhere.
    pub async fn stopping(&self) {
        self.all(ServingStatus::NotServing).await;
    }

    async fn all(&self, status: ServingStatus) {
        for service in self.services.iter() {
            self.reporter.set_service_status(service, status).await;
        }
    }

    pub(super) fn reporter(&self) -> HealthReporter {
        self.reporter.clone()
    }
}
