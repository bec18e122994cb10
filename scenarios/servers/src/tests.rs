//! Tests of the servers' behaviour on which other tests rely.

use std::time::Duration;

use crate::{Durability, MariaDb, Postgres, engine::FreshDatabase};

#[tokio::test]
async fn a_killed_postgres_keeps_its_commits() {
    let mut server = Postgres::start(Durability::Full).await.unwrap();
    server.execute("CREATE TABLE kept (n INTEGER)").await.unwrap();
    server.execute("INSERT INTO kept VALUES (1)").await.unwrap();
    server.kill();
    assert!(server.execute("SELECT 1").await.is_err(), "it still answers");
    server.start_again().await.unwrap();
    server.execute("DELETE FROM kept").await.unwrap();
}

#[tokio::test]
async fn a_killed_mariadb_keeps_its_commits() {
    let mut server = MariaDb::start(Durability::Full).await.unwrap();
    server.create_database("kept").await.unwrap();
    server.execute("CREATE TABLE kept.kept (n INTEGER)").await.unwrap();
    server.kill();
    assert!(server.execute("SELECT 1").await.is_err(), "it still answers");
    server.start_again().await.unwrap();
    server.execute("DELETE FROM kept.kept").await.unwrap();
    server.drop_database("kept").await.unwrap();
}

#[tokio::test]
async fn a_paused_server_does_not_answer_until_it_is_resumed() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    server.pause().unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), server.execute("SELECT 1")).await;
    assert!(silence.is_err(), "it answered: {silence:?}");
    server.resume().unwrap();
    server.execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_servers_folder_is_removed_with_it() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    let folder = server.folder().to_owned();
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[tokio::test]
async fn an_invalid_database_name_is_refused() {
    let server = Postgres::start(Durability::Off).await.unwrap();
    for name in ["", "a b", "a;b", "A", "ü", "a\"b"] {
        assert!(server.create_database(name).await.is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn each_fresh_database_is_a_new_one() {
    let (one, other) = (FreshDatabase::new().await.unwrap(), FreshDatabase::new().await.unwrap());
    assert_ne!(one.url(), other.url());
}
