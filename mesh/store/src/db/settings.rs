//! The settings of each connection to a server, and the check that they took effect. A pooler or a proxy in between may drop them
//! silently: then lock waits are unbounded, transactions read uncommitted data, and values are truncated.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, TransactionTrait, sqlx};
use tokio::time::timeout;

use super::StoreError;

/// How long a statement waits for a lock, in seconds: then its transaction has lost, and is retried.
const LOCK_TIMEOUT_S: u32 = 5;
/// The mode of MySQL and MariaDB in which a value that does not fit is refused.
const SQL_MODE: &str = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT";
/// The names of the isolation setting in different versions of MySQL and MariaDB.
const ISOLATION: [&str; 2] = ["transaction_isolation", "tx_isolation"];
/// How long the check for a transaction pooler may take.
const LENT_TIMEOUT: Duration = Duration::from_secs(2);

const LENT: &str = "prepared statements get lost between transactions: the pooler in front of the server lends one connection to several \
                    clients; have it pool by session: see `PostgreSQL behind a pooler` in docs/operations.md";

/// The connect options for PostgreSQL. `statement_timeout_s` bounds one statement, and the wait for the next statement of a transaction.
pub(super) fn postgres(statement_timeout_s: u32) -> [(&'static str, String); 4] {
    [
        ("default_transaction_isolation", "read committed".to_owned()),
        ("lock_timeout", format!("{LOCK_TIMEOUT_S}s")),
        ("statement_timeout", format!("{statement_timeout_s}s")),
        ("idle_in_transaction_session_timeout", format!("{statement_timeout_s}s")),
    ]
}

/// The statements for each new connection to MySQL and MariaDB. Settings of MariaDB only are in a comment that only MariaDB reads.
/// Without a strict mode, a value that does not fit is truncated silently; and by default a table lock is waited for for a day.
pub(super) fn mysql(statement_timeout_s: u32) -> [String; 2] {
    [
        format!(
            "SET SESSION sql_mode = '{SQL_MODE}', innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, \
             lock_wait_timeout = {LOCK_TIMEOUT_S} \
             /*M!100300 , max_statement_time = {statement_timeout_s}, idle_transaction_timeout = {statement_timeout_s} */"
        ),
        // The variable's name differs between versions; this statement does not.
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
    ]
}

/// Fails, and names the setting, if one did not take effect on a connection that was made with that statement timeout.
pub(super) async fn took_effect(connection: &DatabaseConnection, statement_timeout_s: u32) -> Result<(), StoreError> {
    let backend = connection.get_database_backend();
    let (query, wanted) = match backend {
        DbBackend::Postgres => {
            let millis = |seconds: u32| (seconds * 1_000).to_string();
            let wanted = vec![
                ("default_transaction_isolation", "read committed".to_owned()),
                ("lock_timeout", millis(LOCK_TIMEOUT_S)),
                ("statement_timeout", millis(statement_timeout_s)),
                ("idle_in_transaction_session_timeout", millis(statement_timeout_s)),
            ];
            ("SELECT name, setting FROM pg_settings WHERE name IN", wanted)
        }
        DbBackend::MySql => {
            let wanted = vec![
                ("sql_mode", SQL_MODE.to_owned()),
                ("innodb_lock_wait_timeout", LOCK_TIMEOUT_S.to_string()),
                ("lock_wait_timeout", LOCK_TIMEOUT_S.to_string()),
                (ISOLATION[0], "READ-COMMITTED".to_owned()),
                // MySQL supports neither.
                ("max_statement_time", format!("{statement_timeout_s}.000000")),
                ("idle_transaction_timeout", statement_timeout_s.to_string()),
            ];
            ("SHOW SESSION VARIABLES WHERE Variable_name IN", wanted)
        }
        _ => return Ok(()),
    };
    let names = wanted.iter().map(|(name, _)| *name).chain(ISOLATION).collect::<Vec<_>>().join("', '");
    let rows = connection.query_all_raw(Statement::from_string(backend, format!("{query} ('{names}')"))).await;
    let rows = rows.map_err(or_lent)?;
    let mut found = BTreeMap::new();
    for row in rows {
        found.insert(row.try_get_by_index::<String>(0)?, row.try_get_by_index::<String>(1)?);
    }
    for (name, wanted) in wanted {
        let is = match name {
            _ if name == ISOLATION[0] => ISOLATION.iter().find_map(|name| found.get(*name)),
            _ => found.get(name),
        };
        let fits = match (is, name) {
            (None, "max_statement_time" | "idle_transaction_timeout") => true,
            (Some(is), "sql_mode") => has_each(is, &wanted),
            (Some(is), _) => is.eq_ignore_ascii_case(&wanted),
            (None, _) => false,
        };
        if !fits {
            let is = is.map_or("unknown", String::as_str);
            return Err(mistake(format!(
                "the setting {name} did not take effect: it is {is}, not {wanted}; a pooler or proxy in front of the server may have \
                 dropped it: see `PostgreSQL behind a pooler` in docs/operations.md"
            )));
        }
    }
    Ok(())
}

/// Whether all words of `wanted` are in `is`; there may be others.
fn has_each(is: &str, wanted: &str) -> bool {
    wanted.split(',').all(|word| is.split(',').any(|other| other == word))
}

/// Fails if a pooler shares the server's connections among ours and loses prepared statements. The check uses two of our connections at
/// once, so that the first one's prepared statement would then run on another connection of the server.
pub(super) async fn are_our_own(connection: &DatabaseConnection) -> Result<(), StoreError> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    match timeout(LENT_TIMEOUT, loses_statements(connection)).await {
        // A pool that cannot provide two connections at once cannot mix them up.
        Ok(Ok(false)) | Err(_) => Ok(()),
        Ok(Ok(true)) => Err(mistake(LENT.to_owned())),
        Ok(Err(error)) => Err(or_lent(error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "they change nothing, and no other transaction can be in their way")]
async fn loses_statements(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    let ask = |number: i32| Statement::from_string(DbBackend::Postgres, format!("SELECT {number} AS prepared"));
    // Two at once, so that the pooler uses two. The second one prepares a statement, and is returned last.
    let (first, second) = (connection.begin().await?, connection.begin().await?);
    first.query_one_raw(ask(1)).await?;
    second.query_one_raw(ask(2)).await?;
    first.rollback().await?;
    second.rollback().await?;
    // A pooler reuses the connection that was returned last: now for the first one, while the second one queries again.
    let first = connection.begin().await?;
    let asked = async {
        first.query_one_raw(ask(3)).await?;
        connection.query_one_raw(ask(2)).await
    };
    let asked = asked.await;
    first.rollback().await?;
    match asked {
        // Another statement may have the same name there.
        Ok(row) => Ok(!row.is_some_and(|row| row.try_get_by_index::<i32>(0).is_ok_and(|number| number == 2))),
        Err(error) => Err(error),
    }
}

/// The error, or its source.
fn or_lent(error: DbErr) -> StoreError {
    if is_lost_statement(&error) { mistake(LENT.to_owned()) } else { error.into() }
}

/// PostgreSQL 26000 (no such prepared statement), 42P05 (it exists already); or the answer to another statement.
fn is_lost_statement(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = error
    else {
        return false;
    };
    match &**source {
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("26000" | "42P05")),
        sqlx::Error::Protocol(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        _ => false,
    }
}

fn mistake(what: String) -> StoreError {
    StoreError::Other(DbErr::Conn(RuntimeErr::Internal(what)))
}
