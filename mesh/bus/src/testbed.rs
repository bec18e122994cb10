//! The test bed of relay and consumer: an embedded bus and databases, in a temporary folder.

use std::sync::Arc;

use mesh_foundation::{background::Background, clock::Clock, event::Event};
use mesh_store::{
    db::Database,
    outbox,
    store::{self, MigrationTrait, MigratorTrait},
};
use servers::engine::Databases;
use tempfile::TempDir;

use crate::{
    bus::{SharedBus, embedded::EmbeddedBus},
    wiring::Wiring,
};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
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
        store::migrate(&database, &Migrator).await.unwrap();
        database
    }
}

/// A process's worth of wiring around `bus`.
pub(crate) fn wiring(bus: &SharedBus) -> Wiring {
    Wiring { bus: bus.clone(), background: Background::new(), clock: Clock::system() }
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
