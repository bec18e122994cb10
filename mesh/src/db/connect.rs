//! Connections as we want them, whatever the server's own settings are: nothing waits for ever, no value is changed to fit, READ
//! COMMITTED.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectOptions, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{
        self, Executor,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use super::StoreError;

/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for the one writer, and for a reader.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has been idle for this long is asked whether it is still there: the server may have been started again, and
/// each dead connection would fail one call.
pub(super) const ASK_AFTER: Duration = Duration::from_millis(500);
/// How long a statement waits for a lock, in seconds: then its transaction has lost, and is run again.
const LOCK_TIMEOUT_S: u32 = 5;
/// How long a server carries out one statement, in seconds, and waits for the next one of a transaction: whoever began it has gone by
/// then, and the locks that it holds are in everybody's way. (MySQL knows neither bound; MariaDB does.)
const STATEMENT_TIMEOUT_S: u32 = 30;
/// No such bound.
const UNBOUNDED: u32 = 0;
/// After how long a connection is replaced, so that no server keeps for ever what it remembers for one.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long connections that were made after a server stepped down are used, if it turns out that they lead to it as well: otherwise
/// one that stays read-only would be connected to again for each call.
const SPARED: Duration = Duration::from_secs(1);

/// Where a database is. Shows nothing of it: a password may be in it.
#[derive(Clone)]
pub(super) struct Address(pub(super) Arc<str>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// When a server last turned out to take no writes any more. A connection that was made before still leads to it, and would be alive
/// for as long as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Demotion(Arc<Mutex<Option<Instant>>>);

impl Demotion {
    pub(super) fn notice(&self) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= SPARED) {
            *last = Some(Instant::now());
        }
    }

    /// Whether a connection of that age may be used.
    fn lets_use(&self, age: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        age < LIFETIME && last.is_none_or(|last| age < last.elapsed())
    }

    /// Has a server's connections closed, instead of used, that were made before.
    pub(super) fn watch(&self, options: &mut ConnectOptions) {
        let (postgres, mysql) = (self.clone(), self.clone());
        options.map_sqlx_postgres_before_acquire(move |_, meta| {
            let usable = postgres.lets_use(meta.age);
            Box::pin(async move { Ok(usable) })
        });
        options.map_sqlx_mysql_before_acquire(move |_, meta| {
            let usable = mysql.lets_use(meta.age);
            Box::pin(async move { Ok(usable) })
        });
    }
}

/// Connects. What the driver says of a URL that it cannot read may repeat the URL, and with it a password.
pub(super) async fn connection(options: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
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
    sqlite
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .foreign_keys(true)
}

/// A SQLite file for reading only: without a journal mode, because setting one writes.
pub(super) fn to_read(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    sqlite.read_only(true).busy_timeout(SQLITE_BUSY_TIMEOUT)
}

/// How to connect to the database at `url`, whichever engine it is.
pub(super) fn connect_options(url: &str, max_connections: u32) -> ConnectOptions {
    bounded(url, max_connections, STATEMENT_TIMEOUT_S)
}

/// How to connect to the server at `url` to change its tables: that takes as long as there are rows. Locks are waited for as ever,
/// because whoever stands behind one that waits for a table waits as well.
pub(super) fn migration_options(url: &str) -> ConnectOptions {
    bounded(url, 1, UNBOUNDED)
}

fn bounded(url: &str, max_connections: u32, statement_timeout_s: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .test_before_acquire_if_idle_for(ASK_AFTER)
        // With either, sqlx looks at the idle ones by a count that may fall below zero and wrap: then it never stops looking.
        .idle_timeout(None)
        .max_lifetime(None)
        // Both are on unless switched off: every statement in the log, and its values in the span.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    set_up_postgres(&mut options, statement_timeout_s);
    set_up_mysql(&mut options, statement_timeout_s);
    options
}

fn set_up_postgres(options: &mut ConnectOptions, statement_timeout_s: u32) {
    options.map_sqlx_postgres_opts(move |postgres| {
        postgres.options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("lock_timeout", format!("{LOCK_TIMEOUT_S}s")),
            ("statement_timeout", format!("{statement_timeout_s}s")),
            ("idle_in_transaction_session_timeout", format!("{statement_timeout_s}s")),
        ])
    });
}

/// MySQL and MariaDB have no options to connect with, so each new connection is told. What only MariaDB knows stands in a comment
/// that only MariaDB reads.
fn set_up_mysql(options: &mut ConnectOptions, statement_timeout_s: u32) {
    // Without a strict mode, a value that does not fit is cut off without a word. Locks on tables are waited for for a day.
    let settings = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT', \
         innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, lock_wait_timeout = {LOCK_TIMEOUT_S} \
         /*M!100300 , max_statement_time = {statement_timeout_s}, idle_transaction_timeout = {statement_timeout_s} */"
    );
    options.map_sqlx_mysql_pool_opts(move |pool| {
        let settings = settings.clone();
        pool.after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                connection.execute(sqlx::AssertSqlSafe(settings)).await?;
                // The variable's name is not the same everywhere; this statement is.
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await.map(|_| ())
            })
        })
    });
}
