//! Databases as one connects to them, and what their engines differ in. What needs a server of its own is in [`real_servers`], and
//! runs on both whatever engine is chosen.

mod effects;
mod failing_disk;
#[cfg(unix)]
mod failing_steps;
mod failures;
mod race;
mod real_servers;
mod sqlite;
mod traps;
mod work;

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use servers::engine::FreshDatabase;

use super::*;

/// A database with a table of counters, `n` of which may not exceed `most`.
struct Bench {
    database: Database,
    kept: FreshDatabase,
}

impl Bench {
    async fn open() -> Self {
        let kept = FreshDatabase::new().await.unwrap();
        let database = Database::connect(kept.url(), 4).await.unwrap();
        add_counters(&database).await;
        Self { database, kept }
    }
}

/// Counters 1 and 2, both 0 of 1,000.
async fn add_counters(database: &Database) {
    for sql in [
        "CREATE TABLE counter (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL, most INTEGER NOT NULL)",
        "INSERT INTO counter (id, n, most) VALUES (1, 0, 1000), (2, 0, 1000)",
    ] {
        database.for_migrations().execute_unprepared(sql).await.unwrap();
    }
}

async fn count_up(tx: &Tx, id: i32) -> Result<u64, StoreError> {
    let sql = format!("UPDATE counter SET n = n + 1 WHERE id = {id} AND n < most");
    Ok(tx.execute_unprepared(&sql).await?.rows_affected())
}

async fn counters(database: &Database) -> [i32; 2] {
    [
        number(database.read(), "SELECT n FROM counter WHERE id = 1").await,
        number(database.read(), "SELECT n FROM counter WHERE id = 2").await,
    ]
}

/// The one number that the query finds.
async fn number(connection: &impl ConnectionTrait, sql: &str) -> i32 {
    #[derive(FromQueryResult)]
    struct Row {
        n: i32,
    }
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Row::find_by_statement(statement).one(connection).await.unwrap().unwrap().n
}

#[tokio::test]
async fn a_file_may_lie_in_a_folder_of_any_name() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("100%41 sure? #1").join("x.db");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let database = Database::open_file(&file, 2).await.unwrap();
    database.transact("nothing", |_| async { Ok(()) }).await.unwrap();
    assert!(file.exists());
    Database::open_file_to_read(&file, 1).await.unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_repeated() {
    for url in [
        "mysql://u:s3cret@127.0.0.1:port/payment",
        "postgres://u:s3cret@127.0.0.1/payment?sslmode=s3cret",
        "oracle://u:s3cret@127.0.0.1/payment",
        "sqlite:x.db?mode=s3cret",
        "s3cret",
    ] {
        let error = Database::connect(url, 1).await.unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"), "{url}");
    }
}
