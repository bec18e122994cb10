//! The services of the process itself: health and reflection.
//!
//! Neither needs a token: probes have none, and the answers are public. So their limits are stricter than those of a context: small
//! messages, few calls, and no endless streams.

use std::{sync::Arc, time::Duration};

use mesh_foundation::error::{Reason, Refusal};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    body::Body,
    service::{Routes, RoutesBuilder},
};
use tonic_health::{pb::health_server::HealthServer, server::HealthService};
use tower::ServiceExt;

use super::{
    Contexts, Health,
    body::{cut, cut_body, hold},
    compression,
    drain::end_when_cancelled,
    layer::{Reply, refuse},
    listener::ServeError,
};

/// A health request is the name of a service.
const MAX_HEALTH_BYTES: usize = 1_024;
/// A reflection request is a name too, and its refusal repeats the name.
const MAX_REFLECTION_BYTES: usize = 1_024;
/// Concurrent health checks. Streams are limited separately, so that a client opening many of them cannot starve a load balancer's
/// checks.
const CHECKS: usize = 1_024;
const STREAMS: usize = 128;
/// How long an answer may take to begin, reading the request included.
const BEGINS: Duration = Duration::from_secs(5);
/// The same once the server is stopping.
const CLOSES: Duration = Duration::from_millis(250);
/// How long a stream lasts; its reader opens another one.
const LASTS: Duration = Duration::from_secs(600);

/// Health and, if it is on, reflection. Clones share the limits.
#[derive(Clone)]
pub(super) struct OwnServices {
    routes: Routes,
    checks: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    closing: CancellationToken,
}

impl OwnServices {
    /// The services for a process of these contexts, until `closing`.
    pub(super) fn new(
        contexts: &Contexts,
        health: &Health,
        reflection: bool,
        closing: CancellationToken,
    ) -> Result<Self, ServeError> {
        let mut routes = RoutesBuilder::default();
        let health = HealthServer::new(HealthService::from_health_reporter(health.reporter()));
        routes.add_service(health.max_decoding_message_size(MAX_HEALTH_BYTES));
        if reflection {
            let describe = || {
                contexts.services().iter().fold(
                    tonic_reflection::server::Builder::configure()
                        .register_encoded_file_descriptor_set(contracts::FILE_DESCRIPTOR_SET)
                        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                        .with_service_name("grpc.health.v1.Health"),
                    |builder, service| builder.with_service_name(*service),
                )
            };
            routes.add_service(describe().build_v1()?.max_decoding_message_size(MAX_REFLECTION_BYTES));
            routes.add_service(describe().build_v1alpha()?.max_decoding_message_size(MAX_REFLECTION_BYTES));
        }
        Ok(Self {
            routes: routes.routes().prepare(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            closing,
        })
    }

    /// Answers a request.
    pub(super) async fn answer(self, request: http::Request<Body>) -> Reply {
        if let Some(refused) = compression::named_in(request.headers()) {
            return refused;
        }
        let checks = request.uri().path().ends_with("/Check");
        let places = if checks { &self.checks } else { &self.streams };
        let Ok(place) = places.clone().try_acquire_owned() else {
            let refusal = Refusal::new(Reason::OVERLOADED, "the server has reached its limit of such calls in flight");
            return refuse(refusal.hint("try again shortly").retry_after(Duration::from_secs(1)));
        };
        let over = CancellationToken::new();
        let gone = over.clone().drop_guard();
        // Reflection reads its requests in its own task, which would wait for the next one after its reader has gone.
        let request = request.map(|body| cut_body(body, end(over.clone())));
        let reply = tokio::select! {
            begun = timeout(BEGINS, self.routes.oneshot(request)) => match begun {
                Ok(Ok(reply)) => reply,
                Ok(Err(never)) => match never {},
                Err(_) => return refuse(slow(BEGINS)),
            },
            () = closed(&self.closing) => return refuse(slow(CLOSES)),
        };
        if checks {
            return reply;
        }
        tokio::spawn(keep(place, over.clone()));
        // A health watch and a reflection stream never end by themselves, and would delay every stop.
        let reply = end_when_cancelled(reply, "server", self.closing);
        hold(cut(reply, end(over)), gone)
    }
}

/// Keeps a stream's permit until its reader has gone or its time limit is reached. The reply cannot keep it, because the reply of a
/// reader that does not read is never polled.
async fn keep(_place: OwnedSemaphorePermit, over: CancellationToken) {
    tokio::select! {
        () = over.cancelled() => {}
        () = sleep(LASTS) => over.cancel(),
    }
}

async fn end(over: CancellationToken) -> Status {
    over.cancelled().await;
    Refusal::new(Reason::DEADLINE_EXCEEDED, "the stream has reached its time limit").hint("open it again").into()
}

async fn closed(closing: &CancellationToken) {
    closing.cancelled().await;
    sleep(CLOSES).await;
}

fn slow(waited: Duration) -> Refusal {
    let message = format!("the request did not arrive within {} ms", waited.as_millis());
    Refusal::new(Reason::DEADLINE_EXCEEDED, message).hint("send the complete request again")
}
