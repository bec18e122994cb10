//! What the codes of servers are taken for.

use std::{borrow::Cow, error::Error as StdError, fmt, io};

use sea_orm::{
    RuntimeErr,
    sqlx::{
        self,
        error::{DatabaseError, ErrorKind},
    },
};

use super::*;

/// A server's answer with PostgreSQL's code.
#[derive(Debug)]
struct Answer(&'static str);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Answer {}

impl DatabaseError for Answer {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

fn failure(error: sqlx::Error) -> StoreError {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))).into()
}

fn answer(code: &'static str) -> StoreError {
    failure(sqlx::Error::Database(Box::new(Answer(code))))
}

#[test]
fn only_a_server_that_cannot_be_used_is_an_outage() {
    for code in ["08006", "53300", "57P01", "57P03", "25006"] {
        assert!(answer(code).is_outage(), "{code}");
    }
    assert!(failure(io::Error::from(io::ErrorKind::ConnectionReset).into()).is_outage());
    for code in ["57014", "25P03"] {
        assert!(matches!(answer(code), StoreError::Unavailable(_)), "{code}");
        assert!(!answer(code).is_outage(), "{code}: the statement may be to blame");
    }
    assert!(!failure(sqlx::Error::Protocol("a length of its own".to_owned())).is_outage());
    assert!(!answer("40001").is_outage());
    assert!(!answer("22001").is_outage());
}

#[test]
fn a_transaction_is_begun_again_on_another_connection_but_not_on_a_full_server() {
    assert!(failure(io::Error::from(io::ErrorKind::BrokenPipe).into()).is_dead_connection());
    assert!(answer("57P01").is_dead_connection());
    for code in ["53300", "53400", "57P03", "25006", "57014"] {
        assert!(!answer(code).is_dead_connection(), "{code}");
    }
    assert!(!failure(sqlx::Error::PoolTimedOut).is_dead_connection());
}

#[test]
fn a_pool_has_nothing_that_looks_at_idle_connections() {
    let options = connect::connect_options("postgres://127.0.0.1/payment", 4);
    assert_eq!(options.get_idle_timeout(), Some(None));
    assert_eq!(options.get_max_lifetime(), Some(None));
}

#[test]
fn where_a_database_is_is_not_shown() {
    let address = connect::Address("postgres://u:s3cret@127.0.0.1/payment".into());
    assert!(!format!("{address:?}").contains("s3cret"));
}
