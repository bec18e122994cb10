//! Settings of a connection that a server would set otherwise: these servers do.

use super::{Real, code, on_both};
use crate::{
    db::tests::*,
    store::{MigrationTrait, MigratorTrait, SchemaManager},
};

on_both!(shared:
    a_transaction_is_read_committed,
    a_value_that_does_not_fit_is_refused_and_not_cut,
    waits_are_bounded,
    a_migration_may_take_as_long_as_there_are_rows,
    a_statement_that_takes_too_long_is_no_outage,
);

/// The one text that the query finds.
async fn text(connection: &impl ConnectionTrait, sql: &str) -> String {
    #[derive(FromQueryResult)]
    struct Row {
        t: String,
    }
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Row::find_by_statement(statement).one(connection).await.unwrap().unwrap().t
}

async fn a_transaction_is_read_committed(real: &Real) {
    let (database, other) = (real.database("isolation").await, &real.pool("isolation").await);
    database
        .transact("look", |tx| async move {
            count_up(&tx, 2).await?;
            let level = match real {
                Real::Postgres(_) => {
                    text(&*tx, "SELECT current_setting('transaction_isolation') AS t").await.replace(' ', "-")
                }
                Real::MariaDb(_) => {
                    let own = "SELECT trx_isolation_level AS t FROM information_schema.innodb_trx \
                               WHERE trx_mysql_thread_id = connection_id()";
                    text(&*tx, own).await.replace(' ', "-")
                }
            };
            assert_eq!(level.to_lowercase(), "read-committed");
            let look = "SELECT n FROM counter WHERE id = 1";
            let before = number(&*tx, look).await;
            other.for_migrations().execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 1").await?;
            assert_eq!(number(&*tx, look).await, before + 1, "what another one commits is seen");
            Ok(())
        })
        .await
        .unwrap();
}

async fn a_value_that_does_not_fit_is_refused_and_not_cut(real: &Real) {
    let database = real.database("strict").await;
    database.for_migrations().execute_unprepared("CREATE TABLE word (t VARCHAR(3) NOT NULL)").await.unwrap();
    let outcome = database
        .transact("write", |tx| async move {
            tx.execute_unprepared("INSERT INTO word (t) VALUES ('four')").await?;
            Ok(())
        })
        .await;
    let Err(Error::Store(error @ StoreError::Other(_))) = outcome else { panic!("{outcome:?}") };
    let too_long = match real {
        Real::Postgres(_) => "22001",
        Real::MariaDb(_) => "1406",
    };
    assert_eq!(code(&error), too_long);
}

async fn waits_are_bounded(real: &Real) {
    let database = real.database("bounds").await;
    let (settings, bounds): (&[&str], &[&str]) = match real {
        Real::Postgres(_) => (
            &[
                "current_setting('lock_timeout')",
                "current_setting('statement_timeout')",
                "current_setting('idle_in_transaction_session_timeout')",
                "current_setting('default_transaction_isolation')",
                "current_setting('TimeZone')",
            ],
            &["5s", "30s", "30s", "read committed", "UTC"],
        ),
        Real::MariaDb(_) => (
            &[
                "CAST(@@innodb_lock_wait_timeout AS CHAR)",
                "CAST(@@lock_wait_timeout AS CHAR)",
                "CAST(CAST(@@max_statement_time AS INT) AS CHAR)",
                "CAST(@@idle_transaction_timeout AS CHAR)",
                "@@time_zone",
            ],
            &["5", "5", "30", "30", "+00:00"],
        ),
    };
    for (setting, bound) in settings.iter().zip(bounds) {
        assert_eq!(text(database.read(), &format!("SELECT {setting} AS t")).await, *bound, "{setting}");
    }
}

/// Writes down under what bounds it is taken.
struct Bounds;

#[async_trait::async_trait]
impl MigrationTrait for Bounds {
    fn name(&self) -> &str {
        "m9999_bounds"
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => {
                "CREATE TABLE bounds AS SELECT concat_ws(' ', current_setting('statement_timeout'), \
                 current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')) AS t"
            }
            _ => {
                "CREATE TABLE bounds AS SELECT concat_ws(' ', CAST(@@max_statement_time AS INT), \
                 @@idle_transaction_timeout, CONCAT(@@lock_wait_timeout, 's')) AS t"
            }
        };
        manager.get_connection().execute_unprepared(sql).await.map(|_| ())
    }
}

struct Bounded;

impl MigratorTrait for Bounded {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Bounds)]
    }
}

async fn a_migration_may_take_as_long_as_there_are_rows(real: &Real) {
    let database = real.database("unhurried").await;
    crate::store::migrate(&database, &Bounded).await.unwrap();
    assert_eq!(text(database.read(), "SELECT t FROM bounds").await, "0 0 5s");
}

async fn a_statement_that_takes_too_long_is_no_outage(real: &Real) {
    let database = real.database("too_slow").await;
    let (hurry, slow, too_slow) = match real {
        Real::Postgres(_) => ("SET LOCAL statement_timeout = '20ms'", "SELECT pg_sleep(20)", "57014"),
        Real::MariaDb(_) => (
            "SET SESSION max_statement_time = 0.02",
            "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
            "1969",
        ),
    };
    let outcome = database
        .transact("slow", |tx| async move {
            tx.execute_unprepared(hurry).await?;
            tx.execute_unprepared(slow).await?;
            Ok(())
        })
        .await;
    let Err(Error::Store(error @ StoreError::Unavailable(_))) = outcome else { panic!("{outcome:?}") };
    assert_eq!(code(&error), too_slow);
    assert!(!error.is_outage());
}
