//! What no rollback takes back waits for the commit.

use std::sync::atomic::AtomicU32;

use super::*;

#[tokio::test]
async fn what_waits_for_a_commit_is_done_once_however_often_the_transaction_is_run() {
    let bench = Bench::open().await;
    let (runs, done) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
    let (counted_runs, counted) = (&runs, &done);
    bench
        .database
        .transact("count", |tx| async move {
            count_up(&tx, 1).await?;
            let done = counted.clone();
            tx.on_commit(move || {
                done.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(counted.load(Ordering::SeqCst), 0, "nothing is committed yet");
            // Whoever was faster, twice.
            if counted_runs.fetch_add(1, Ordering::SeqCst) < 2 { Err(Error::Lost) } else { Ok(()) }
        })
        .await
        .unwrap();
    assert_eq!((runs.load(Ordering::SeqCst), done.load(Ordering::SeqCst)), (3, 1));
    assert_eq!(counters(&bench.database).await, [1, 0]);
}

#[tokio::test]
async fn what_waits_for_a_commit_is_not_done_if_the_transaction_is_rolled_back() {
    let bench = Bench::open().await;
    let done = Arc::new(AtomicU32::new(0));
    let counted = &done;
    let refused = bench.database.transact("count", |tx| async move {
        let done = counted.clone();
        tx.on_commit(move || {
            done.fetch_add(1, Ordering::SeqCst);
        });
        Err::<(), _>(Error::Internal("told to".to_owned()))
    });
    refused.await.unwrap_err();
    assert_eq!(done.load(Ordering::SeqCst), 0);
    assert_eq!(Arc::strong_count(&done), 1, "nothing of it is kept");
}

#[tokio::test]
async fn who_is_woken_by_a_commit_finds_done_what_waited_for_it() {
    let bench = Bench::open().await;
    let commits = bench.database.commits();
    let told_before = Arc::new(AtomicBool::new(true));
    let (waits, noted) = (&commits, &told_before);
    bench
        .database
        .transact("count", |tx| async move {
            count_up(&tx, 1).await?;
            let (waits, noted) = (waits.clone(), noted.clone());
            tx.on_commit(move || noted.store(waits.has_changed().unwrap(), Ordering::SeqCst));
            Ok(())
        })
        .await
        .unwrap();
    assert!(!told_before.load(Ordering::SeqCst), "it is done before anybody is woken");
    assert!(commits.has_changed().unwrap(), "and then they are");
}
