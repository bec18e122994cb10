//! Keeps the write-ahead log of a SQLite database from growing for ever.
//!
//! 1. SQLite copies the log into the database by itself, whenever a commit leaves a thousand pages in it, up to the oldest page that is
//!    still being read.
//! 2. A long read therefore lets the log grow. After the read, the next commit starts the log over and truncates the file to
//!    [`WAL_KEPT_BYTES`]; in a database without writes, that does not happen.
//! 3. So this loop checks the file. If it is larger, the loop copies as many pages as possible, and truncates the file if all were
//!    copied.
//! 4. A log that stays large for a minute is logged: a read has not ended.

use std::{path::Path, time::Duration};

use mesh_foundation::{
    background::{Background, Phase, pause},
    telemetry::metrics,
};
use opentelemetry::KeyValue;
use sea_orm::sqlx::{self, Row, SqliteConnection};
use tokio::time::Instant;

use super::{Database, StoreError, connect::WAL_KEPT_BYTES};

/// How often the loop checks the file.
const EVERY: Duration = Duration::from_secs(5);
/// How long a log may stay large before that is logged, and how often it is logged.
const TOLD_AFTER: Duration = Duration::from_secs(60);

/// The outcome of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// The whole log is in the database, and the file is empty.
    Complete,
    /// Pages in the log are still being read or written.
    Blocked,
}

impl Database {
    /// Starts the loop that keeps the write-ahead log small, if the database is a SQLite file. `name` is its name in metrics.
    pub fn keep_log_small(&self, name: &str, background: &Background) {
        let Some(file) = self.file.clone() else { return };
        let (database, label) = (self.clone(), KeyValue::new("database", name.to_owned()));
        background.run(Phase::Consumers, format!("{name}-checkpoint"), |stop| async move {
            let mut large_since: Option<Instant> = None;
            while pause(EVERY, &stop).await {
                let bytes = log_bytes(&file);
                metrics().sqlite_log_bytes.record(bytes, std::slice::from_ref(&label));
                if bytes <= WAL_KEPT_BYTES {
                    large_since = None;
                    continue;
                }
                let outcome = match database.checkpoint().await {
                    Ok(Checkpoint::Complete) => "complete",
                    Ok(Checkpoint::Blocked) => "blocked",
                    Err(error) => {
                        tracing::warn!(
                            file = %file.display(),
                            error = &error as &dyn std::error::Error,
                            "failed to checkpoint a write-ahead log; will retry"
                        );
                        "failed"
                    }
                };
                let labels = [label.clone(), KeyValue::new("outcome", outcome)];
                metrics().sqlite_checkpoints.add(1, &labels);
                let since = *large_since.get_or_insert_with(Instant::now);
                if outcome == "complete" {
                    large_since = None;
                } else if since.elapsed() >= TOLD_AFTER {
                    large_since = Some(Instant::now());
                    tracing::warn!(
                        file = %file.display(),
                        bytes,
                        "failed to truncate a write-ahead log: a read of the database has lasted more than a minute; will retry"
                    );
                }
            }
        });
    }

    /// Copies the log into the database, and truncates it if it is not in use at this moment. No reader or writer has to wait.
    pub(super) async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        // On a read connection, so that the write connection is never blocked.
        let mut connection = self.read.get_sqlite_connection_pool().acquire().await.map_err(driver)?;
        let copied = run(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        if copied == Checkpoint::Blocked {
            return Ok(copied);
        }
        // Truncating waits for readers and blocks writers meanwhile; so it is tried without a wait.
        let waits = busy_timeout(&mut connection, 0).await?;
        let cut = run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        busy_timeout(&mut connection, waits).await?;
        cut
    }
}

/// Runs a checkpoint. Its one row holds: blocked or not, pages in the log, pages copied.
async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<Checkpoint, StoreError> {
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(driver)?;
    let number = |at: usize| row.try_get::<i64, _>(at).map_err(driver);
    let (blocked, pages, copied) = (number(0)?, number(1)?, number(2)?);
    Ok(if blocked == 0 && pages == copied { Checkpoint::Complete } else { Checkpoint::Blocked })
}

/// Sets the connection's busy timeout, in milliseconds, and returns the previous one.
async fn busy_timeout(connection: &mut SqliteConnection, milliseconds: i64) -> Result<i64, StoreError> {
    let row = sqlx::query("PRAGMA busy_timeout").fetch_one(&mut *connection).await.map_err(driver)?;
    let before = row.try_get(0).map_err(driver)?;
    let set = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {milliseconds}"));
    sqlx::query(set).fetch_one(connection).await.map_err(driver)?;
    Ok(before)
}

fn driver(error: sqlx::Error) -> StoreError {
    sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(error.into())).into()
}

/// How large the log of the database in `file` is.
fn log_bytes(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;

    async fn grow(database: &Database, commits: usize) {
        let insert = "INSERT INTO big (b) SELECT zeroblob(1000000) FROM (VALUES (1), (2), (3), (4), (5))";
        for _ in 0..commits {
            database
                .transact("grow", |tx| async move {
                    tx.execute_unprepared(insert).await?;
                    Ok(())
                })
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_log_that_a_slow_reader_let_grow_is_cut_once_the_reader_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.db");
        let database = Database::open_file(&file, 4).await.unwrap();
        database.for_migrations().execute_unprepared("CREATE TABLE big (b BLOB NOT NULL)").await.unwrap();
        let reader = Database::open_file_to_read(&file, 1).await.unwrap();
        for cut_by_commits in [false, true] {
            for sql in ["BEGIN", "SELECT COUNT(*) FROM big"] {
                reader.read().execute_unprepared(sql).await.unwrap();
            }
            grow(&database, 8).await;
            assert_eq!(database.checkpoint().await.unwrap(), Checkpoint::Blocked);
            assert!(log_bytes(&file) > WAL_KEPT_BYTES, "the reader still needs it: {} bytes", log_bytes(&file));
            reader.read().execute_unprepared("COMMIT").await.unwrap();
            if cut_by_commits {
                grow(&database, 2).await;
                assert!(log_bytes(&file) <= WAL_KEPT_BYTES, "{} bytes are kept", log_bytes(&file));
            } else {
                assert_eq!(database.checkpoint().await.unwrap(), Checkpoint::Complete);
                assert_eq!(log_bytes(&file), 0);
            }
        }
    }
}
