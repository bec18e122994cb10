//! PostgreSQL and MariaDB themselves, brought to what can go wrong with them. These tests start the servers that they need, and run
//! on both whatever engine is chosen for the others.

mod codes;
mod conflicts;
mod gone_callers;
mod lost_commits;
mod outages;
mod poolers;
mod settings;

use sea_orm::RuntimeErr;
use servers::{Durability, MariaDb, Postgres};
use tokio::sync::OnceCell;

use super::*;

/// One of the two.
#[derive(Debug)]
enum Real {
    Postgres(Postgres),
    MariaDb(MariaDb),
}

/// Makes a test on each server of a function that is given the server.
macro_rules! on_both {
    ($server:ident: $($test:ident),+ $(,)?) => {
        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::super::$server::postgres().await).await;
                }
            )+
        }
        mod mariadb {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(super::super::$server::mariadb().await).await;
                }
            )+
        }
    };
}
use on_both;

/// A server that many tests use at once, each in a database of its own.
mod shared {
    use super::*;

    pub(super) async fn postgres() -> &'static Real {
        static SERVER: OnceCell<Real> = OnceCell::const_new();
        SERVER.get_or_init(own::postgres).await
    }

    pub(super) async fn mariadb() -> &'static Real {
        static SERVER: OnceCell<Real> = OnceCell::const_new();
        SERVER.get_or_init(own::mariadb).await
    }
}

/// A server of a test's own, which may kill it.
mod own {
    use super::*;

    pub(super) async fn postgres() -> Real {
        Real::Postgres(Postgres::start(Durability::Full).await.unwrap())
    }

    pub(super) async fn mariadb() -> Real {
        Real::MariaDb(MariaDb::start(Durability::Full).await.unwrap())
    }
}

impl Real {
    /// A database of that name with counters, and a pool to it.
    async fn database(&self, name: &str) -> Database {
        match self {
            Self::Postgres(server) => server.create_database(name).await.unwrap(),
            Self::MariaDb(server) => server.create_database(name).await.unwrap(),
        }
        let database = self.pool(name).await;
        add_counters(&database).await;
        database
    }

    /// One more pool to the database of that name.
    async fn pool(&self, name: &str) -> Database {
        Database::connect(&self.url(name), 4).await.unwrap()
    }

    fn url(&self, name: &str) -> String {
        match self {
            Self::Postgres(server) => server.url(name),
            Self::MariaDb(server) => server.url(name),
        }
    }

    async fn kill_connections(&self) {
        match self {
            Self::Postgres(server) => server.kill_connections().await.unwrap(),
            Self::MariaDb(server) => server.kill_connections().await.unwrap(),
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Postgres(server) => server.kill(),
            Self::MariaDb(server) => server.kill(),
        }
    }

    async fn start_again(&mut self) {
        match self {
            Self::Postgres(server) => server.start_again().await.unwrap(),
            Self::MariaDb(server) => server.start_again().await.unwrap(),
        }
    }
}

/// The server's own number for what it refused.
pub(super) fn code(error: &StoreError) -> String {
    let (StoreError::Conflict(source)
    | StoreError::Duplicate(source)
    | StoreError::Unavailable(source)
    | StoreError::CommitUnknown(source)
    | StoreError::Other(source)) = error;
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = source
    else {
        return String::new();
    };
    let Some(error) = source.as_database_error() else { return String::new() };
    match error.try_downcast_ref::<sea_orm::SqlxMySqlError>() {
        Some(error) => error.number().to_string(),
        None => error.code().unwrap_or_default().into_owned(),
    }
}
