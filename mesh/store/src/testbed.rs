//! The test bed: temporary databases with the tables of the mesh.

use mesh_foundation::event::Event;
use servers::engine::Databases;

use crate::{
    db::Database,
    outbox,
    store::{self, MigrationTrait, MigratorTrait},
};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        store::migrations()
    }
}

/// The databases.
pub(crate) struct Testbed {
    databases: Databases,
}

impl Testbed {
    pub(crate) fn new() -> Self {
        Self { databases: Databases::new() }
    }

    /// The database of that name, with `mesh`'s tables, on the engine that is tested.
    pub(crate) async fn database(&self, name: &str) -> Database {
        let url = self.databases.url(name).await.unwrap();
        let database = Database::connect(&url, 4).await.unwrap();
        store::migrate(&database, &Migrator).await.unwrap();
        database
    }
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
