//! The adapter against a real nats-server.

mod catching_up;
mod dead_letters;
mod dropped;
mod errands;
mod loss;
mod outages;
mod permissions;
mod refused;
mod streams;
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use servers::{Nats, NatsOptions};
use tokio::sync::Mutex;

use self::support::connect;
use crate::bus::{
    SharedBus,
    conformance::{self, Harness},
};

/// A server of its own for each property.
#[derive(Default)]
struct Server(Mutex<Option<Nats>>);

#[async_trait]
impl Harness for Server {
    async fn open(&self) -> SharedBus {
        let mut nats = self.0.lock().await;
        if nats.is_none() {
            *nats = Some(Nats::start(NatsOptions::default()).await.unwrap());
        }
        let nats = nats.as_ref().unwrap();
        Arc::new(connect(nats, "tester").await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jetstream_does_what_every_bus_has_to_do() {
    conformance::run(Server::default).await;
}
