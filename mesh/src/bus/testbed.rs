//! What the tests of relay and consumer stand on: an embedded bus and databases, in a folder that is gone afterwards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm_migration::{MigrationTrait, MigratorTrait};
use servers::engine::Databases;
use tempfile::TempDir;
use uuid::Uuid;

use super::{SharedBus, embedded::EmbeddedBus};
use crate::{
    background::Background,
    clock::Clock,
    context::Wiring,
    db::Database,
    event::{Event, route},
    outbox, store,
};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        store::migrations()
    }
}

/// The folder, and the databases.
pub(crate) struct Testbed {
    folder: TempDir,
    databases: Databases,
}

impl Testbed {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), databases: Databases::new() }
    }

    /// The bus in the file of that name.
    pub(crate) async fn bus(&self, name: &str) -> SharedBus {
        Arc::new(EmbeddedBus::open(&self.folder.path().join(name)).await.unwrap())
    }

    /// The database of that name, with `mesh`'s tables, on the engine that is tested.
    pub(crate) async fn database(&self, name: &str) -> Database {
        let url = self.databases.url(name).await.unwrap();
        let database = Database::connect(&url, 4).await.unwrap();
        store::migrate::<Migrator>(&database).await.unwrap();
        database
    }
}

/// A process's worth of wiring around `bus`.
pub(crate) fn wiring(bus: &SharedBus) -> Wiring {
    Wiring { bus: bus.clone(), background: Background::new(), clock: Clock::system() }
}

/// An event of `context` about its thing number `sequence`.
pub(crate) fn event(context: &str, sequence: u64) -> Event {
    Event {
        id: Uuid::now_v7(),
        kind: format!("jumak.{context}.v1.ThingHappened"),
        source: context.to_owned(),
        subject: format!("things/{sequence}"),
        route: route(context, "thing", "ThingHappened"),
        time: Clock::system().now(),
        correlation_id: "case".to_owned(),
        causation_id: None,
        actor: "users/alice".to_owned(),
        sequence,
        traceparent: None,
        data: sequence.to_be_bytes().to_vec(),
    }
}

/// The first `count` events of `context`.
pub(crate) fn events(context: &str, count: u64) -> Vec<Event> {
    (1..=count).map(|sequence| event(context, sequence)).collect()
}

/// Commits `events` to the outbox.
pub(crate) async fn commit(database: &Database, events: &[Event]) {
    database
        .transact("commit", |tx| async move {
            for event in events {
                outbox::append(&tx, event.clone()).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

/// Waits until `condition` holds, and fails if it never does.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
