//! Connections and servers that are gone. Each test has a server of its own.

use std::{
    sync::atomic::AtomicU32,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{Real, on_both};
use crate::db::tests::{work::up, *};

on_both!(own:
    a_connection_that_is_killed_in_a_transaction_leaves_nothing_half_done,
    connections_that_were_killed_while_idle_fail_no_call,
    connections_that_were_killed_just_now_fail_no_work_that_looks,
    a_server_that_was_killed_and_is_back_has_what_was_committed_and_is_used_again,
    connections_to_a_server_that_has_stepped_down_are_not_used_again,
);

fn is_unavailable<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Store(StoreError::Unavailable(_))))
}

async fn a_connection_that_is_killed_in_a_transaction_leaves_nothing_half_done(real: Real) {
    let database = real.database("killed").await;
    let (real, runs) = (&real, &AtomicU32::new(0));
    for at_the_commit in [false, true] {
        let outcome = database
            .transact("killed", |tx| async move {
                runs.fetch_add(1, Ordering::Relaxed);
                count_up(&tx, 1).await?;
                real.kill_connections().await;
                if !at_the_commit {
                    count_up(&tx, 2).await?;
                }
                Ok(())
            })
            .await;
        if at_the_commit {
            assert!(matches!(outcome, Err(Error::Store(StoreError::CommitUnknown(_)))), "{outcome:?}");
        } else {
            assert!(is_unavailable(&outcome), "{outcome:?}");
        }
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2, "neither is run again: its caller is told");
    assert_eq!(eventually_counters(&database).await, [0, 0]);
    database.transact("again", |tx| async move { Ok(count_up(&tx, 1).await?) }).await.unwrap();
    assert_eq!(counters(&database).await, [1, 0]);
}

async fn connections_that_were_killed_while_idle_fail_no_call(real: Real) {
    let database = real.database("idle").await;
    use_all_connections(&database).await;
    tokio::time::sleep(connect::ASK_AFTER).await;
    real.kill_connections().await;
    use_all_connections(&database).await;
    assert_eq!(counters(&database).await, [8, 0]);
}

async fn connections_that_were_killed_just_now_fail_no_work_that_looks(real: Real) {
    let database = real.database("just_now").await;
    use_all_connections(&database).await;
    real.kill_connections().await;
    for from in 4..12 {
        let performed =
            database.perform_or(Work::new("after").then(up([1], from)).then(up([2], from - 4)), (), |tx| async move {
                // What was not there is done now.
                if number(&*tx, "SELECT n FROM counter WHERE id = 1").await == from {
                    tx.expect(up([1], from)).await?;
                    tx.expect(up([2], from - 4)).await?;
                }
                Ok(())
            });
        performed.await.unwrap();
        assert_eq!(counters(&database).await, [from + 1, from - 3]);
    }
}

async fn a_server_that_was_killed_and_is_back_has_what_was_committed_and_is_used_again(mut real: Real) {
    let database = real.database("restarted").await;
    use_all_connections(&database).await;
    real.kill();
    let asked = Instant::now();
    let outcome = database.transact("away", |tx| async move { Ok(count_up(&tx, 1).await?) }).await;
    assert!(is_unavailable(&outcome), "{outcome:?}");
    assert!(asked.elapsed() < Duration::from_secs(15), "a caller is told in time");
    real.start_again().await;
    tokio::time::sleep(connect::ASK_AFTER).await;
    use_all_connections(&database).await;
    assert_eq!(counters(&database).await, [8, 0]);
}

async fn connections_to_a_server_that_has_stepped_down_are_not_used_again(real: Real) {
    let database = real.database("stepped_down").await;
    let (own_id, refuse, refused) = match real {
        Real::Postgres(_) => (
            "SELECT pg_backend_pid() AS n",
            "DO $$ BEGIN RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'; END $$",
            "25006",
        ),
        Real::MariaDb(_) => (
            "SELECT CAST(connection_id() AS INT) AS n",
            "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'read-only'",
            "1290",
        ),
    };
    let connection =
        async || database.transact("look", |tx| async move { Ok(number(&*tx, own_id).await) }).await.unwrap();
    let mut before = HashSet::new();
    for _ in 0..8 {
        before.insert(connection().await);
    }
    let outcome = database
        .transact("write", |tx| async move {
            tx.execute_unprepared(refuse).await?;
            Ok(())
        })
        .await;
    let Err(Error::Store(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(super::code(&error), refused);
    for _ in 0..8 {
        assert!(!before.contains(&connection().await), "it still leads to the server that stepped down");
    }
}

/// Four transactions that are open at once, each of which counts up: the pool has four connections.
async fn use_all_connections(database: &Database) {
    let (meet, mut tasks) = (Arc::new(tokio::sync::Barrier::new(4)), JoinSet::new());
    for _ in 0..4 {
        let (database, meet) = (database.clone(), meet.clone());
        tasks.spawn(async move {
            let all = database.transact("all", |tx| {
                let meet = meet.clone();
                async move {
                    number(&*tx, "SELECT n FROM counter WHERE id = 2").await;
                    meet.wait().await;
                    Ok(count_up(&tx, 1).await?)
                }
            });
            all.await
        });
    }
    let four = tokio::time::timeout(Duration::from_secs(20), tasks.join_all()).await.expect("all four have begun");
    for outcome in four {
        outcome.unwrap();
    }
}

/// The counters, as soon as a connection can be had that nobody has killed.
async fn eventually_counters(database: &Database) -> [i32; 2] {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let asked = database.read().execute_unprepared("SELECT 1").await;
        match asked {
            Ok(_) => return counters(database).await,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}
