//! Whether calls should come here: `grpc.health.v1`, as balancers and Kubernetes ask for it.

use std::sync::Arc;

use tonic_health::{ServingStatus, server::HealthReporter};

use super::Contexts;

/// The name under which the server as a whole is asked about.
const OVERALL: &str = "";

/// What a process says of its health. Cheap to clone; clones speak for the same process.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Arc<[&'static str]>,
}

impl Health {
    /// Not serving yet. tonic would begin with SERVING, and calls would come before anything can answer them.
    pub async fn not_ready(contexts: &Contexts) -> Self {
        let services = std::iter::once(OVERALL).chain(contexts.services().iter().copied());
        let health = Self { reporter: HealthReporter::new(), services: services.collect() };
        health.all(ServingStatus::NotServing).await;
        health
    }

    /// Everything is there: calls may come.
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
