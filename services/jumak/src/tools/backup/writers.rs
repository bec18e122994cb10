//! Stops all writers of a folder at one moment.
//!
//! No commit spans two files, but the files depend on each other: a reservation is confirmed in one file because a payment was approved
//! in another. [`Writers`] takes the write locks of all files, one after the other. When it has all of them, no file can change, so the
//! files together hold a state of one moment, in which every effect has its cause.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use mesh::{Database, db::StoreError};
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

/// How long taking the locks of all files together may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The write locks of some SQLite files. They are released when this is dropped.
#[derive(Debug)]
pub struct Writers {
    locks: Vec<(Database, DatabaseTransaction)>,
    since: Instant,
}

impl Writers {
    /// Stops the writers of `files`. Waits for commits in progress, within bounds. This cannot deadlock, because no writer waits for
    /// another
    /// file while it holds a lock (nothing is awaited inside a transaction).
    pub async fn stop(files: &[PathBuf]) -> anyhow::Result<Self> {
        // The connections are made first, because that takes longest.
        let mut databases = Vec::with_capacity(files.len());
        for file in files {
            databases.push(open(file).await?);
        }
        let since = Instant::now();
        let mut locks = Vec::with_capacity(files.len());
        for (file, database) in files.iter().zip(databases) {
            let lock = lock(&database, since + PATIENCE).await.with_context(|| {
                format!("failed to stop the writers of {} within {} s; try again", file.display(), PATIENCE.as_secs())
            })?;
            locks.push((database, lock));
        }
        Ok(Self { locks, since })
    }

    /// Releases the locks, and returns how long they were held.
    pub async fn resume(self) -> anyhow::Result<Duration> {
        let mut databases = Vec::with_capacity(self.locks.len());
        for (database, lock) in self.locks {
            lock.rollback().await?;
            databases.push(database);
        }
        let stopped = self.since.elapsed();
        for database in databases {
            database.close().await;
        }
        Ok(stopped)
    }
}

async fn open(file: &Path) -> anyhow::Result<Database> {
    Database::open_file(file, 1).await.with_context(|| format!("failed to open {}", file.display()))
}

async fn lock(database: &Database, deadline: Instant) -> Result<DatabaseTransaction, StoreError> {
    loop {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        match database.for_migrations().begin_with_options(immediate).await.map_err(StoreError::from) {
            Err(StoreError::Conflict(_)) if Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}
