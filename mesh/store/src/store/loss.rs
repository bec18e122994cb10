//! Notices, when a SQLite database is opened for use, that it has lost what it had acknowledged: after a crash somebody removed the
//! write-ahead log beside its file, or the file is an older copy. A context that went on without it would sell again what is sold.

use mesh_foundation::error::Error;
use sea_orm::{DbErr, EntityTrait};
use uuid::Uuid;

use super::{SchemaManager, entity::outbox};
use crate::db::{Database, StoreError};

const OUTBOX: &str = "outbox";

/// A database without an event of which a caller was told that it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has lost event {event}, of which a caller was told that it is stored, and perhaps more: {file}-wal was removed after a crash, \
     or {file} is an older copy; put back what was there, or restore a backup; to go on without what is lost, remove {file}-acknowledged"
)]
pub struct Lost {
    event: Uuid,
    file: String,
}

/// Refuses a database that has lost its newest acknowledged event. A server's is its own responsibility. Changes nothing.
pub(super) async fn check(database: &Database) -> Result<(), Error> {
    // First: the event is committed by then, also if another process writes.
    let acknowledged = database.acknowledged().map_err(|error| StoreError::Other(DbErr::Custom(error.to_string())))?;
    let Some(event) = acknowledged else { return Ok(()) };
    let read = database.read();
    let is_there = SchemaManager::new(read).has_table(OUTBOX).await?
        && outbox::Entity::find_by_id(event).one(read).await?.is_some();
    if is_there {
        return Ok(());
    }
    Err(Error::Incompatible(Lost { event, file: database.file_name() }.into()))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use mesh_testing::event;

    use super::*;
    use crate::{outbox::append, store, testbed::Migrator};

    /// Opens the file as a start does; what is said against it.
    async fn refusal(file: &Path) -> Option<String> {
        let database = Database::open_file(file, 1).await.unwrap();
        let opened = store::migrate(&database, &Migrator).await;
        database.close().await;
        match opened {
            Ok(_) => None,
            Err(Error::Incompatible(why)) => Some(why.to_string()),
            Err(other) => panic!("not refused: {other}"),
        }
    }

    #[tokio::test]
    async fn a_file_that_has_lost_what_was_acknowledged_is_refused_until_it_is_back_or_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let [file, crashed, emptied] = ["stay.db", "crashed.db", "emptied.db"].map(|name| folder.path().join(name));
        let beside = |file: &Path, end: &str| file.with_extension(format!("db{end}"));
        let database = Database::open_file(&file, 1).await.unwrap();
        store::migrate(&database, &Migrator).await.unwrap();
        database.transact("append", |tx| async move { append(&tx, event("stay", 1)).await }).await.unwrap();
        // As it is after a crash.
        for copy in [&crashed, &emptied] {
            for end in ["", "-wal", "-acknowledged"] {
                fs::copy(beside(&file, end), beside(copy, end)).unwrap();
            }
        }
        database.close().await;
        assert_eq!(refusal(&file).await, None, "a clean stop leaves all of it in the file");
        assert!(!beside(&file, "-wal").exists());

        let log = fs::read(beside(&crashed, "-wal")).unwrap();
        fs::remove_file(beside(&crashed, "-wal")).unwrap();
        for _ in 0..2 {
            let why = refusal(&crashed).await.expect("refused");
            for part in ["crashed.db-wal was removed", "remove crashed.db-acknowledged"] {
                assert!(why.contains(part), "{why}");
            }
        }
        fs::write(beside(&crashed, "-wal"), log).unwrap();
        assert_eq!(refusal(&crashed).await, None, "what was put back is found");

        for end in ["", "-wal"] {
            fs::remove_file(beside(&emptied, end)).unwrap();
        }
        assert!(refusal(&emptied).await.is_some());
        fs::remove_file(beside(&emptied, "-acknowledged")).unwrap();
        assert_eq!(refusal(&emptied).await, None, "it is given up");
    }
}
