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
    /// Anything else: a mistake of ours.
    #[error("the database refused a statement")]
    Other(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Self::Duplicate(error);
        }
        match &error {
            DbErr::ConnectionAcquire(_) => return Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(source))
            | DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source)) => match source.as_ref() {
                sqlx::Error::Database(database) => {
                    if is_conflict(database.as_ref()) {
                        return Self::Conflict(error);
                    }
                    if is_outage(database.as_ref()) {
                        return Self::Unavailable(error);
                    }
                }
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => return Self::Unavailable(error),
                _ => {}
            },
            _ => {}
        }
        Self::Other(error)
    }
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

/// A server that stops, starts, is full, too slow or takes no writes: PostgreSQL 08xxx, 53xxx, 57P0x, 57014, 25P03 and 25006;
/// MySQL 1040, 1203 and 1226 (full), 1053, 1317 and 1927 (an operator ended it), 1290 and 1836 (read-only), 1969 and 3024 (too slow),
/// and Galera's 1047 (not in its cluster); SQLite READONLY (8), IOERR (10), FULL (13) and CANTOPEN (14).
fn is_outage(error: &dyn sqlx::error::DatabaseError) -> bool {
    if let Some(mysql) = error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        return matches!(mysql.number(), 1040 | 1203 | 1226 | 1053 | 1317 | 1927 | 1290 | 1836 | 1969 | 3024 | 1047);
    }
    let code = error.code();
    let Some(code) = code.as_deref() else { return false };
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 13 | 14));
    }
    ["08", "53", "57P0"].iter().any(|class| code.starts_with(class)) || matches!(code, "57014" | "25P03" | "25006")
}
