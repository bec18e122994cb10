//! SQLite's own way of losing: one file, one writer.

use sea_orm::DatabaseConnection;

use super::*;

async fn lock(connection: &DatabaseConnection) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    connection.begin_with_options(options).await.unwrap()
}

#[tokio::test]
async fn a_busy_file_is_tried_again_a_bounded_number_of_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let other = Database::open_file(&file, 1).await.unwrap();
    let database = Database::open_file(&file, 1).await.unwrap();
    add_counters(&database).await;
    // The one connection that writes: it does not wait by itself now.
    database.for_migrations().execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();

    let held = lock(other.for_migrations()).await;
    let (ran, run) = (AtomicBool::new(false), &|tx: Tx| async move { Ok(count_up(&tx, 1).await?) });
    let lost = database
        .transact("never", |tx| {
            ran.store(true, Ordering::Relaxed);
            run(tx)
        })
        .await;
    assert!(matches!(lost, Err(Error::Store(StoreError::Conflict(_)))), "{lost:?}");
    assert!(!ran.load(Ordering::Relaxed), "it never had the file");

    let (late, ()) = tokio::join!(database.transact("late", run), async {
        // The first tries are over before it is the task's turn again.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        held.rollback().await.unwrap();
    });
    assert_eq!(late.unwrap(), 1);
    assert_eq!(counters(&database).await, [1, 0]);
}

#[tokio::test]
async fn a_file_that_cannot_grow_is_unavailable_and_is_used_again_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open_file(&folder.path().join("x.db"), 1).await.unwrap();
    add_counters(&database).await;
    let fill = "INSERT INTO counter (id, n, most) WITH RECURSIVE s(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM s WHERE i < 9999) \
                SELECT i, 0, 9 FROM s";
    let write =
        || database.transact("fill", |tx| async move { Ok(tx.execute_unprepared(fill).await?.rows_affected()) });
    // As a disk that is full would: SQLite says FULL (13) of both.
    database.for_migrations().execute_unprepared("PRAGMA max_page_count = 4").await.unwrap();
    let Err(Error::Store(error)) = write().await else { panic!("there was room") };
    assert!(error.is_outage(), "{error:?}");
    assert_eq!(tonic::Status::from(Error::from(error)).code(), tonic::Code::Unavailable);
    database.for_migrations().execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
    assert_eq!(write().await.unwrap(), 9_997);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_unavailable_and_blames_no_statement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    std::fs::write(&file, [b'x'; 8_192]).unwrap();
    let error = Database::open_file_to_read(&file, 1).await;
    let error = match error {
        Err(error) => error,
        Ok(database) => database.read().execute_unprepared("SELECT * FROM sqlite_master").await.unwrap_err().into(),
    };
    assert!(error.is_outage(), "{error:?}");
}
