//! The databases' servers, as tests rely on them.

use std::time::Duration;

use crate::{Durability, MariaDb, Postgres, engine::FreshDatabase};

#[tokio::test]
async fn a_postgres_that_was_killed_has_what_was_committed() {
    let mut server = Postgres::start(Durability::Full).await.unwrap();
    server.execute("CREATE TABLE kept (n INTEGER)").await.unwrap();
    server.execute("INSERT INTO kept VALUES (1)").await.unwrap();
    server.kill();
    assert!(server.execute("SELECT 1").await.is_err(), "nobody answers");
    server.start_again().await.unwrap();
    server.execute("DELETE FROM kept").await.unwrap();
}

#[tokio::test]
async fn a_mariadb_that_was_killed_has_what_was_committed() {
    let mut server = MariaDb::start(Durability::Full).await.unwrap();
    server.create_database("kept").await.unwrap();
    server.execute("CREATE TABLE kept.kept (n INTEGER)").await.unwrap();
    server.kill();
    assert!(server.execute("SELECT 1").await.is_err(), "nobody answers");
    server.start_again().await.unwrap();
    server.execute("DELETE FROM kept.kept").await.unwrap();
    server.drop_database("kept").await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_paused_says_nothing_until_it_goes_on() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    server.pause().unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), server.execute("SELECT 1")).await;
    assert!(silence.is_err(), "it answered: {silence:?}");
    server.resume().unwrap();
    server.execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_servers_folder_goes_with_it() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    let folder = server.folder().to_owned();
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[tokio::test]
async fn a_name_that_is_none_reaches_no_server() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    for name in ["", "a b", "a;b", "A", "ü", "a\"b"] {
        assert!(server.create_database(name).await.is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn each_fresh_database_is_another() {
    let (one, other) = (FreshDatabase::new().await.unwrap(), FreshDatabase::new().await.unwrap());
    assert_ne!(one.url(), other.url());
}
