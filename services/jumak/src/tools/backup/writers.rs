//! All writers of a folder, stopped at one moment.
//!
//! No commit spans two files, and yet the files belong together: a reservation is confirmed in one because a payment was approved in
//! another. The write locks are taken one after the other. Whatever a file holds by the time it is locked has its causes in the
//! files locked before, which do not change any more, or in those that are locked later: what all of them hold together is a state
//! in which every effect has its cause.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use mesh::{Database, db::StoreError};
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

/// How long the writers of all files together may keep this waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The write locks of some SQLite files. Dropped, they are let go of.
#[derive(Debug)]
pub struct Writers {
    locks: Vec<(Database, DatabaseTransaction)>,
    since: Instant,
}

impl Writers {
    /// Stops the writers of `files`. A commit that is under way is waited for, within bounds. Whoever holds one file never waits for
    /// another (nothing is awaited inside a transaction), so that this cannot deadlock.
    pub async fn stop(files: &[PathBuf]) -> anyhow::Result<Self> {
        // Connections first: making them takes longer than all the rest.
        let mut databases = Vec::with_capacity(files.len());
        for file in files {
            databases.push(open(file).await?);
        }
        let since = Instant::now();
        let mut locks = Vec::with_capacity(files.len());
        for (file, database) in files.iter().zip(databases) {
            let lock = lock(&database, since + PATIENCE).await.with_context(|| {
                format!("{} was being written to all the time for {} s; try again", file.display(), PATIENCE.as_secs())
            })?;
            locks.push((database, lock));
        }
        Ok(Self { locks, since })
    }

    /// Lets them go on, and tells how long they had to wait.
    pub async fn go_on(self) -> anyhow::Result<Duration> {
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
    Database::open_file(file, 1).await.with_context(|| format!("{} cannot be opened", file.display()))
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
