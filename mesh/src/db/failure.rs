//! What a database's errors mean to us.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// What a database can answer but "done", sorted by what one can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A deadlock, a serialization failure, a busy file: run the whole transaction again.
    #[error("the transaction lost to another one")]
    Conflict(#[source] DbErr),
    /// A unique key was there already.
    #[error("the row exists")]
    Duplicate(#[source] DbErr),
    /// The database cannot be reached or has no connection free.
    #[error("the database cannot be reached")]
    Unavailable(#[source] DbErr),
    /// The COMMIT failed, or its answer was lost: the transaction may have been committed or not. Nobody knows until somebody looks.
    #[error("nobody knows whether the transaction was committed")]
    CommitUnknown(#[source] DbErr),
    /// Anything else: a mistake of ours.
    #[error("the database refused a statement")]
    Other(#[source] DbErr),
}

impl StoreError {
    /// What an error of COMMIT means. Only where the engine says in so many words that it has rolled back is that known: everything else,
    /// a lost connection first of all, may have come after the commit.
    pub(super) fn of_commit(error: DbErr) -> Self {
        let rolled_back = driver(&error).and_then(sqlx::Error::as_database_error).is_some_and(rolled_back_by_commit);
        if rolled_back { error.into() } else { Self::CommitUnknown(error) }
    }

    /// Whether the database could not be used, whatever it was asked for. A statement that was too slow, or that no answer came to which
    /// the driver understands, may be to blame for that itself.
    pub fn is_outage(&self) -> bool {
        let error = match self {
            Self::Unavailable(error) => error,
            Self::CommitUnknown(_) => return true,
            Self::Conflict(_) | Self::Duplicate(_) | Self::Other(_) => return false,
        };
        match driver(error) {
            Some(sqlx::Error::Database(database)) => !is_broken_off(database.as_ref()),
            Some(sqlx::Error::Protocol(_)) => false,
            _ => true,
        }
    }

    /// Whether the server is there and takes no writes, as one does that another has taken over from: PostgreSQL 25006; MySQL 1290
    /// and 1836, and Galera's 1047.
    pub(super) fn is_demotion(&self) -> bool {
        self.has_code(&["25006"], &[1290, 1836, 1047])
    }

    /// Whether it was the connection that was gone: nothing came over it, or that it is ended (PostgreSQL 57P01 and 57P02, MariaDB
    /// 1927).
    pub(super) fn is_dead_connection(&self) -> bool {
        let Self::Unavailable(error) = self else { return false };
        matches!(driver(error), Some(sqlx::Error::Io(_))) || self.has_code(&["57P01", "57P02"], &[1927])
    }

    fn has_code(&self, postgres: &[&str], mysql: &[u16]) -> bool {
        let Self::Unavailable(error) = self else { return false };
        let Some(error) = driver(error).and_then(sqlx::Error::as_database_error) else { return false };
        match error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
            Some(error) => mysql.contains(&error.number()),
            None => error.code().is_some_and(|code| postgres.contains(&&*code)),
        }
    }
}

/// What the driver said.
fn driver(error: &DbErr) -> Option<&sqlx::Error> {
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
            Some(sqlx::Error::Database(database)) if is_conflict(database.as_ref()) => Self::Conflict(error),
            Some(sqlx::Error::Database(database)) if is_unavailable(database.as_ref()) => Self::Unavailable(error),
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
/// MySQL 1213 and 1205 (a conflict, found at COMMIT by a cluster); SQLite BUSY (5), LOCKED (6), FULL (13) and CONSTRAINT (19), after each
/// of which the frame that would make the commit is not in the log. SQLite's IOERR may follow a frame that is on the disk and would be
/// found after a crash.
fn rolled_back_by_commit(error: &dyn sqlx::error::DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        return matches!(mysql.number(), 1213 | 1205);
    }
    let code = error.code();
    let Some(code) = code.as_deref() else { return false };
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13 | 19));
    }
    // 40003 says itself that nobody knows.
    ["23", "40"].iter().any(|class| code.starts_with(class)) && code != "40003"
}

/// PostgreSQL 40001, 40P01 and 55P03 (a lock was waited for too long); MySQL 1213 (the transaction was undone), 1205 (only the
/// statement was) and MariaDB 1020; SQLite BUSY (5), LOCKED (6) and their extended codes.
fn is_conflict(error: &dyn sqlx::error::DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        return matches!(mysql.number(), 1213 | 1205 | 1020);
    }
    match error.code().as_deref() {
        Some("40001" | "40P01" | "55P03") => true,
        Some(code) if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() => {
            code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
        }
        _ => false,
    }
}

/// A statement that was broken off, most often because it took too long: PostgreSQL 57014 and 25P03; MySQL 1317, 1969 and 3024.
fn is_broken_off(error: &dyn sqlx::error::DatabaseError) -> bool {
    match error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        Some(error) => matches!(error.number(), 1317 | 1969 | 3024),
        None => matches!(error.code().as_deref(), Some("57014" | "25P03")),
    }
}

/// A server that stops, starts, is full, too slow or takes no writes: PostgreSQL 08xxx, 53xxx, 57P0x and 25006; MySQL 1040, 1203 and
/// 1226 (full), 1053 and 1927 (an operator ended it), 1290 and 1836 (read-only), and Galera's 1047 (not in its cluster); SQLite
/// READONLY (8), IOERR (10), FULL (13) and CANTOPEN (14).
fn is_unavailable(error: &dyn sqlx::error::DatabaseError) -> bool {
    if is_broken_off(error) {
        return true;
    }
    if let Some(mysql) = error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        return matches!(mysql.number(), 1040 | 1203 | 1226 | 1053 | 1927 | 1290 | 1836 | 1047);
    }
    let code = error.code();
    let Some(code) = code.as_deref() else { return false };
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 13 | 14));
    }
    ["08", "53", "57P0"].iter().any(|class| code.starts_with(class)) || code == "25006"
}
