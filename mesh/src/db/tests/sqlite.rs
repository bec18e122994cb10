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
