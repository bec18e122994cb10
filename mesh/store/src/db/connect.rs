//! Connections with our own settings, whatever the server's are: every wait is bounded, no value is truncated, READ COMMITTED.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectOptions, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{
        self, Connection, Executor,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::{StoreError, settings};

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for a lock of the writer or of a reader.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The page cache of one connection to a SQLite file, in KiB. SQLite's default of 2 MiB, for some hundred connections, would be most of
/// the process's memory. The system's file cache has the rest.
const WRITER_CACHE_KIB: u32 = 512;
const READER_CACHE_KIB: u32 = 128;
/// The least number of read connections to one SQLite file: more than two for each processor only wait for one another.
const MIN_READERS: usize = 4;
/// How many statements a connection that reads a SQLite file keeps prepared. Each takes some 10 KiB, and there are many connections.
const READER_STATEMENTS: usize = 32;
/// The same of the one that writes: all that a context has.
const WRITER_STATEMENTS: usize = 128;
/// How many statements one connection to a server keeps prepared, there and here: more than a context has. With the driver's own hundred
/// those of every call are driven out by seldom ones, and prepared anew: a round trip, and a plan.
const SERVER_STATEMENTS: usize = 512;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has been idle for this long is pinged before use: the server may have been restarted, and each dead connection
/// would fail one call.
pub(super) const ASK_AFTER: Duration = Duration::from_millis(500);
/// How long a server runs one statement, in seconds, and waits for the next one of a transaction: the caller has gone by then, and the
/// locks block others. (MariaDB supports both bounds; MySQL supports neither.)
const STATEMENT_TIMEOUT_S: u32 = 30;
/// No such bound.
const UNBOUNDED: u32 = 0;
/// After how long a connection is replaced, so that a server's memory for one connection does not grow for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How large a write-ahead log may stay once all of it is in the database. It may grow beyond that during long reads.
pub(super) const WAL_KEPT_BYTES: u64 = 16 << 20;
/// How long connections made after a failover are used even if they lead to a read-only server too: otherwise a server that stays
/// read-only would get a new connection for each call.
const SPARED: Duration = Duration::from_secs(1);

/// The URL of a database. Never printed, because it may hold a password.
#[derive(Clone)]
pub(super) struct Address(pub(super) Arc<str>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// Invalidates the existing connections: when a server turned out to be read-only, to which older connections still lead; or when the end
/// of a transaction failed and left one of them in an unknown state.
#[derive(Clone, Debug)]
pub(super) struct Distrust {
    last: Arc<Mutex<Option<Instant>>>,
    /// How long connections made since then are trusted in any case.
    spared: Duration,
    /// After how long a connection is replaced anyway.
    lifetime: Duration,
}

impl Distrust {
    /// For a server: it is not reconnected to for each call, however often it refuses to write.
    pub(super) fn of_a_server() -> Self {
        Self { last: Arc::default(), spared: SPARED, lifetime: LIFETIME }
    }

    /// For a file, which is quickly reopened.
    pub(super) fn of_a_file() -> Self {
        Self { last: Arc::default(), spared: Duration::ZERO, lifetime: Duration::MAX }
    }

    pub(super) fn notice(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= self.spared) {
            *last = Some(Instant::now());
        }
    }

    /// Whether a connection of that age may be used.
    fn lets_use(&self, age: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        age < self.lifetime && last.is_none_or(|last| age < last.elapsed())
    }

    /// Has all connections closed that were made before now.
    pub(super) fn watch(&self, options: &mut ConnectOptions) {
        let (postgres, mysql, sqlite) = (self.clone(), self.clone(), self.clone());
        options.map_sqlx_postgres_before_acquire(move |_, meta| {
            let usable = postgres.lets_use(meta.age);
            Box::pin(async move { Ok(usable) })
        });
        options.map_sqlx_mysql_before_acquire(move |_, meta| {
            let usable = mysql.lets_use(meta.age);
            Box::pin(async move { Ok(usable) })
        });
        options.map_sqlx_sqlite_before_acquire(move |connection, meta| {
            let usable = !connection.is_in_transaction() && sqlite.lets_use(meta.age);
            Box::pin(async move { Ok(usable) })
        });
    }
}

/// Whether a returned connection may be reused: only if it is outside any transaction. The queued ROLLBACK of a dropped transaction runs
/// first.
///
/// If a COMMIT fails because the disk is full, SQLite may end the transaction by itself. The driver does not notice: its next BEGIN would
/// be a SAVEPOINT, and nothing would be committed any more, although every COMMIT succeeds.
async fn is_outside<C: sqlx::Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Connects with [`connect_options`], and makes sure that they took effect.
pub(super) async fn connection(options: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    checked(options, STATEMENT_TIMEOUT_S).await
}

/// Connects to the server at `url` to change its tables, without a statement timeout, because that takes time in proportion to the rows.
/// The lock timeout stays, because other statements queue behind one that waits for a table lock.
pub(super) async fn migration_connection(url: &str) -> Result<DatabaseConnection, StoreError> {
    checked(bounded(url, 1, UNBOUNDED), UNBOUNDED).await
}

async fn checked(options: ConnectOptions, statement_timeout_s: u32) -> Result<DatabaseConnection, StoreError> {
    let several = options.get_max_connections().is_some_and(|most| most > 1);
    let connection = connected(options).await?;
    settings::took_effect(&connection, statement_timeout_s).await?;
    if several {
        settings::are_our_own(&connection).await?;
    }
    Ok(connection)
}

/// Hides the driver's error about a malformed URL, which may repeat the URL with its password.
async fn connected(options: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    sea_orm::Database::connect(options).await.map_err(|error| match &error {
        DbErr::Conn(RuntimeErr::Internal(_)) => unreadable_url(),
        DbErr::Conn(RuntimeErr::SqlxError(source)) if matches!(**source, sqlx::Error::Configuration(_)) => {
            unreadable_url()
        }
        _ => error.into(),
    })
}

fn unreadable_url() -> StoreError {
    StoreError::Other(DbErr::Conn(RuntimeErr::Internal("the database's URL cannot be read".to_owned())))
}

/// A SQLite file for reading and writing.
pub(super) fn to_write(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    bounded_memory(sqlite, WRITER_CACHE_KIB, WRITER_STATEMENTS)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("journal_size_limit", WAL_KEPT_BYTES.to_string())
}

/// The file that a SQLite URL names; none for a database in memory.
pub(super) fn sqlite_file(url: &str) -> Result<Option<PathBuf>, StoreError> {
    let options: SqliteConnectOptions = url.parse().map_err(|_| unreadable_url())?;
    let file = options.get_filename();
    Ok((!url.contains(":memory:") && !url.contains("mode=memory")).then(|| file.to_owned()))
}

/// The same for the read connections, of which there are many.
pub(super) fn beside_writer(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    bounded_memory(to_write(sqlite), READER_CACHE_KIB, READER_STATEMENTS)
}

/// A SQLite file for reading only: without a journal mode, because setting one writes.
pub(super) fn to_read(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    bounded_memory(sqlite, READER_CACHE_KIB, READER_STATEMENTS).read_only(true).busy_timeout(SQLITE_BUSY_TIMEOUT)
}

/// The number of read connections to one SQLite file, at most `most`.
pub(super) fn readers(most: Option<u32>) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let enough = u32::try_from((2 * processors).max(MIN_READERS)).unwrap_or(u32::MAX);
    most.map_or(enough, |most| most.min(enough))
}

fn bounded_memory(sqlite: SqliteConnectOptions, cache_kib: u32, statements: usize) -> SqliteConnectOptions {
    sqlite.pragma("cache_size", format!("-{cache_kib}")).statement_cache_capacity(statements)
}

/// How to connect to the database at `url`, whichever engine it is.
pub(super) fn connect_options(url: &str, max_connections: u32) -> ConnectOptions {
    bounded(url, max_connections, STATEMENT_TIMEOUT_S)
}

fn bounded(url: &str, max_connections: u32, statement_timeout_s: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .test_before_acquire_if_idle_for(ASK_AFTER)
        // With either, sqlx scans idle connections by a count that may wrap below zero: then the scan never ends.
        .idle_timeout(None)
        .max_lifetime(None)
        // Both are on by default: every statement in the log, and its values in the span.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    set_up_postgres(&mut options, statement_timeout_s);
    set_up_mysql(&mut options, statement_timeout_s);
    options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_outside(connection))));
    options
}

fn set_up_postgres(options: &mut ConnectOptions, statement_timeout_s: u32) {
    options.map_sqlx_postgres_opts(move |postgres| {
        postgres.options(settings::postgres(statement_timeout_s)).statement_cache_capacity(SERVER_STATEMENTS)
    });
    options.map_sqlx_postgres_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_outside(connection))));
}

/// MySQL and MariaDB have no connect options for this, so each new connection runs statements.
fn set_up_mysql(options: &mut ConnectOptions, statement_timeout_s: u32) {
    options.map_sqlx_mysql_opts(|mysql| mysql.statement_cache_capacity(SERVER_STATEMENTS));
    options.map_sqlx_mysql_pool_opts(move |pool| {
        let pool = pool.after_release(|connection, _| Box::pin(is_outside(connection)));
        pool.after_connect(move |connection, _| {
            Box::pin(async move {
                for setting in settings::mysql(statement_timeout_s) {
                    connection.execute(sqlx::AssertSqlSafe(setting)).await?;
                }
                Ok(())
            })
        })
    });
}
