//! Classifies a database's errors.

pub mod codes;

use sea_orm::{
    DbErr, RuntimeErr, SqlErr, SqlxPostgresError,
    sqlx::{self, postgres::PgSeverity},
};

use self::codes::{Meaning, meaning};

/// The failures of a database, by what one can do about them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A deadlock, a serialization failure, a busy file: run the whole transaction again.
    #[error("the transaction lost to a concurrent one")]
    Conflict(#[source] DbErr),
    /// The unique key exists already.
    #[error("the row exists")]
    Duplicate(#[source] DbErr),
    /// The database cannot be reached, has no connection free, or cannot do its work now: its disk is full, say.
    #[error("the database cannot be used now")]
    Unavailable(#[source] DbErr),
    /// The COMMIT failed, or its answer was lost: the transaction may have been committed or not. Only a later read can tell.
    #[error("it is unknown whether the transaction was committed")]
    CommitUnknown(#[source] DbErr),
    /// Anything else: a mistake of ours.
    #[error("the database refused a statement")]
    Other(#[source] DbErr),
}

impl StoreError {
    /// Classifies an error of COMMIT. The outcome is known only if the engine says explicitly that it has rolled back. Any other error,
    /// such as a lost connection, may have come after the commit.
    pub fn of_commit(error: DbErr) -> Self {
        let rolled_back = driver(&error).and_then(sqlx::Error::as_database_error).is_some_and(rolled_back_by_commit);
        if rolled_back { error.into() } else { Self::CommitUnknown(error) }
    }

    /// What an error of a statement means that is a transaction of its own, on PostgreSQL. The server's ERROR ends the statement and undoes
    /// it. What ends the connection, FATAL for one, may come after the commit; and so may what a pooler says of the connection behind it.
    pub fn of_autocommit(error: DbErr) -> Self {
        let is_unknown = match driver(&error) {
            // Nothing was sent.
            _ if !matches!(error, DbErr::Exec(_)) => false,
            Some(sqlx::Error::Database(database)) => may_follow_the_commit(database.as_ref()),
            Some(sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) => {
                true
            }
            _ => false,
        };
        if is_unknown { Self::CommitUnknown(error) } else { error.into() }
    }

    /// Whether the database could not be used for any statement. Not if a statement was too slow, or got an answer that the driver does not
    /// understand: the statement itself may be the cause.
    pub fn is_outage(&self) -> bool {
        let error = match self {
            Self::Unavailable(error) => error,
            Self::CommitUnknown(_) => return true,
            Self::Conflict(_) | Self::Duplicate(_) | Self::Other(_) => return false,
        };
        match driver(error) {
            Some(sqlx::Error::Database(database)) => meaning(database.as_ref()) != Some(Meaning::BrokenOff),
            Some(sqlx::Error::Protocol(_)) => false,
            _ => true,
        }
    }

    /// Whether the server is up but accepts no writes, for example after a failover to another server.
    pub fn is_demotion(&self) -> bool {
        self.means() == Some(Meaning::ReadOnly)
    }

    /// Whether the connection was gone: it broke, or the server said that it is closing it.
    pub fn is_dead_connection(&self) -> bool {
        let Self::Unavailable(error) = self else { return false };
        matches!(driver(error), Some(sqlx::Error::Io(_))) || self.means() == Some(Meaning::Gone)
    }

    fn means(&self) -> Option<Meaning> {
        let Self::Unavailable(error) = self else { return None };
        meaning(driver(error)?.as_database_error()?)
    }
}

/// The driver's error.
pub fn driver(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Self::Duplicate(error);
        }
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            return Self::Unavailable(error);
        }
        match driver(&error) {
            Some(sqlx::Error::Database(database)) => match meaning(database.as_ref()) {
                Some(Meaning::Lost) => Self::Conflict(error),
                Some(Meaning::BrokenOff | Meaning::Down | Meaning::Gone | Meaning::ReadOnly) => {
                    Self::Unavailable(error)
                }
                None => Self::Other(error),
            },
            Some(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_),
            ) => Self::Unavailable(error),
            _ => Self::Other(error),
        }
    }
}

/// Whether that answer to a COMMIT says that nothing was committed: PostgreSQL's classes 23 (a deferred constraint) and 40 (a conflict);
/// MySQL 1213, 1205 and 3101 (a conflict, found at COMMIT by a cluster); SQLite BUSY (5), LOCKED (6), FULL (13) and CONSTRAINT (19), after each
/// of which the frame that would make the commit is not in the log. SQLite's IOERR may follow a frame that is on the disk and would be
/// found after a crash.
fn rolled_back_by_commit(error: &dyn sqlx::error::DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        return matches!(mysql.number(), 1213 | 1205 | 3101);
    }
    let code = error.code();
    let Some(code) = code.as_deref() else { return false };
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13 | 19));
    }
    // 40003 (statement_completion_unknown) says that the outcome is unknown.
    ["23", "40"].iter().any(|class| code.starts_with(class)) && code != "40003"
}

/// Whether PostgreSQL may have committed the statement that it answers so. 40003 says itself that nobody knows; class 08 is of connections.
fn may_follow_the_commit(error: &dyn sqlx::error::DatabaseError) -> bool {
    let is_error =
        error.try_downcast_ref::<SqlxPostgresError>().is_some_and(|error| error.severity() == PgSeverity::Error);
    let code = error.code().unwrap_or_default();
    !is_error || code == "40003" || code.starts_with("08")
}
