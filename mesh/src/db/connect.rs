//! Connections as we want them, whatever the server's own settings are: nothing waits for ever, no value is changed to fit, READ
//! COMMITTED.

use std::time::Duration;

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
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .test_before_acquire_if_idle_for(ASK_AFTER)
        // Both are on unless switched off: every statement in the log, and its values in the span.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    set_up_postgres(&mut options);
    set_up_mysql(&mut options);
    options
}

fn set_up_postgres(options: &mut ConnectOptions) {
    options.map_sqlx_postgres_opts(|postgres| {
        postgres.options([
            ("default_transaction_isolation", "read committed".to_owned()),
            ("lock_timeout", format!("{LOCK_TIMEOUT_S}s")),
            ("statement_timeout", format!("{STATEMENT_TIMEOUT_S}s")),
            ("idle_in_transaction_session_timeout", format!("{STATEMENT_TIMEOUT_S}s")),
        ])
    });
}

/// MySQL and MariaDB have no options to connect with, so each new connection is told. What only MariaDB knows stands in a comment
/// that only MariaDB reads.
fn set_up_mysql(options: &mut ConnectOptions) {
    // Without a strict mode, a value that does not fit is cut off without a word. Locks on tables are waited for for a day.
    let settings = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT', \
         innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, lock_wait_timeout = {LOCK_TIMEOUT_S} \
         /*M!100300 , max_statement_time = {STATEMENT_TIMEOUT_S}, idle_transaction_timeout = {STATEMENT_TIMEOUT_S} */"
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
