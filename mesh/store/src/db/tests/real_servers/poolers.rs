//! What stands between us and a server, and drops what we set there.

use std::error::Error as _;

use sea_orm::Database as Raw;
use servers::{Durability, PgBouncer, PoolMode, Postgres};

use super::{Real, on_both};
use crate::db::{settings, tests::*};

on_both!(shared: a_connection_without_our_settings_is_refused_and_the_setting_named);

/// An error with its causes.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The settings, as those are for whom a pooler drops them.
async fn give_settings_to_the_role(postgres: &Postgres) {
    for (name, value) in settings::postgres(30) {
        postgres.execute(&format!("ALTER ROLE jumak SET {name} = '{value}'")).await.unwrap();
    }
}

async fn a_connection_without_our_settings_is_refused_and_the_setting_named(real: &Real) {
    let database = real.database("unset").await;
    drop(database);
    let (url, names): (_, &[&str]) = match real {
        Real::Postgres(server) => (server.url("unset"), &["default_transaction_isolation", "repeatable read"]),
        Real::MariaDb(server) => (server.url("unset"), &["sql_mode"]),
    };
    let plain = Raw::connect(url).await.unwrap();
    let refused = settings::took_effect(&plain, 30).await.unwrap_err();
    assert!(names.iter().all(|name| chain(&refused).contains(name)), "{}", chain(&refused));
}

#[tokio::test]
async fn a_pooler_that_drops_our_settings_is_an_error_that_names_one() {
    let postgres = Postgres::start(Durability::Off).await.unwrap();
    for mode in [PoolMode::Session, PoolMode::Transaction] {
        let pooler = PgBouncer::start(&postgres, mode).await.unwrap();
        let refused = Database::connect(&pooler.url("postgres"), 4).await.unwrap_err();
        assert!(matches!(refused, StoreError::Other(_)), "it is not waited for: {refused:?}");
        let said = chain(&refused);
        assert!(said.contains("the setting default_transaction_isolation did not take effect"), "{mode:?}: {said}");
    }
}

#[tokio::test]
async fn a_pooler_by_session_will_do_if_the_role_has_our_settings_but_not_for_migrations() {
    let postgres = Postgres::start(Durability::Off).await.unwrap();
    give_settings_to_the_role(&postgres).await;
    let pooler = PgBouncer::start(&postgres, PoolMode::Session).await.unwrap();
    let database = Database::connect(&pooler.url("postgres"), 4).await.unwrap();
    add_counters(&database).await;
    database.transact("count", |tx| async move { Ok(count_up(&tx, 1).await?) }).await.unwrap();
    assert_eq!(counters(&database).await, [1, 0]);
    // A migration may take as long as there are rows, which no role's settings can say.
    let refused = database.connect_to_migrate().await.unwrap_err();
    assert!(chain(&refused).contains("the setting statement_timeout did not take effect"), "{}", chain(&refused));
}

#[tokio::test]
async fn a_pooler_by_transaction_that_loses_prepared_statements_is_an_error_that_says_so() {
    let postgres = Postgres::start(Durability::Off).await.unwrap();
    give_settings_to_the_role(&postgres).await;
    let pooler = PgBouncer::start(&postgres, PoolMode::Transaction).await.unwrap();
    let refused = Database::connect(&pooler.url("postgres"), 4).await.unwrap_err();
    assert!(matches!(refused, StoreError::Other(_)), "it is not waited for: {refused:?}");
    assert!(chain(&refused).contains("prepared statements get lost"), "{}", chain(&refused));
}
