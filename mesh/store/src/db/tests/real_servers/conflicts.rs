//! Transactions that lose to one another, and how they are survived.

use std::sync::{Mutex, atomic::AtomicU32};

use tokio::sync::{Barrier, Notify};

use super::{Real, code, on_both};
use crate::db::tests::{work::up_from_anywhere, *};

on_both!(shared:
    two_that_wait_for_one_another_both_end,
    a_work_that_waits_in_a_circle_is_performed_again,
    who_waits_too_long_for_a_row_is_run_again_as_a_whole,
    who_read_what_has_changed_since_is_run_again,
);

/// What went wrong inside a transaction's runs.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Seen {
    fn note<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        outcome.inspect_err(|error| self.0.lock().unwrap().push(code(error)))
    }

    fn codes(self) -> Vec<String> {
        self.0.into_inner().unwrap()
    }
}

async fn two_that_wait_for_one_another_both_end(real: &Real) {
    let (one, other) = (real.database("deadlock").await, real.pool("deadlock").await);
    let (meet, seen) = (&Barrier::new(2), Seen::default());
    let crossing = async |database: &Database, first: i32, second: i32| {
        let (runs, seen) = (&AtomicU32::new(0), &seen);
        database
            .transact("cross", |tx| async move {
                count_up(&tx, first).await?;
                if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                    meet.wait().await;
                }
                seen.note(count_up(&tx, second).await)?;
                Ok(())
            })
            .await
            .unwrap();
    };
    tokio::join!(crossing(&one, 1, 2), crossing(&other, 2, 1));
    assert_eq!(counters(&one).await, [2, 2]);
    let deadlock = match real {
        Real::Postgres(_) => "40P01",
        Real::MariaDb(_) => "1213",
    };
    assert_eq!(seen.codes(), [deadlock]);
}

/// The other one in the circle has changed more, and waits for less long: so it is the work that is ended.
async fn a_work_that_waits_in_a_circle_is_performed_again(real: &Real) {
    let (database, other) = (real.database("circle").await, real.pool("circle").await);
    let held = other.for_migrations().begin_with_options(TransactionOptions::default()).await.unwrap();
    for id in 10..30 {
        let sql = format!("INSERT INTO counter (id, n, most) VALUES ({id}, 0, 1)");
        held.execute_unprepared(&sql).await.unwrap();
    }
    held.execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 2").await.unwrap();
    let done = Arc::new(AtomicU32::new(0));
    let counted = done.clone();
    let work = Work::new("circle").then(up_from_anywhere(1)).then(up_from_anywhere(2));
    let work = work.on_commit(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let (performed, ()) = tokio::join!(database.perform(work), async {
        until_somebody_waits(real, &other).await;
        held.execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 1").await.unwrap();
        held.commit().await.unwrap();
    });
    assert_eq!(performed.unwrap(), Ok(()));
    assert_eq!((counters(&database).await, done.load(Ordering::Relaxed)), ([2, 2], 1));
}

/// Until a transaction waits for another one's row in the database of the pool.
async fn until_somebody_waits(real: &Real, pool: &Database) {
    let waiting = match real {
        Real::Postgres(_) => {
            "SELECT CAST(COUNT(*) AS INTEGER) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        }
        Real::MariaDb(_) => {
            "SELECT CAST(COUNT(*) AS INT) AS n FROM information_schema.innodb_trx t \
             JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
             WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
        }
    };
    for _ in 0..100 {
        // InnoDB shows again what it has shown, to whoever asks more often than ten times a second.
        tokio::time::sleep(std::time::Duration::from_millis(120)).await;
        if number(pool.read(), waiting).await > 0 {
            return;
        }
    }
    panic!("nobody waits");
}

async fn who_waits_too_long_for_a_row_is_run_again_as_a_whole(real: &Real) {
    let (database, other) = (real.database("lock_wait").await, real.pool("lock_wait").await);
    let held = other.for_migrations().begin_with_options(TransactionOptions::default()).await.unwrap();
    held.execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 1").await.unwrap();
    let (wait_briefly, too_long) = match real {
        Real::Postgres(_) => ("SET LOCAL lock_timeout = '50ms'", "55P03"),
        Real::MariaDb(_) => ("SET SESSION innodb_lock_wait_timeout = 1", "1205"),
    };
    let (runs, seen, lost) = (&AtomicU32::new(0), &Seen::default(), &Notify::new());
    let waiting = database.transact("wait", |tx| async move {
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            tx.execute_unprepared(wait_briefly).await?;
        }
        // MariaDB takes back the statement that waited, and leaves this one for us to take back.
        count_up(&tx, 2).await?;
        seen.note(count_up(&tx, 1).await).inspect_err(|_| lost.notify_one())?;
        Ok(())
    });
    let (waited, ()) = tokio::join!(waiting, async {
        lost.notified().await;
        held.rollback().await.unwrap();
    });
    waited.unwrap();
    assert_eq!(counters(&database).await, [1, 1]);
    assert_eq!(*seen.0.lock().unwrap(), [too_long]);
}

async fn who_read_what_has_changed_since_is_run_again(real: &Real) {
    let (database, other) = (real.database("snapshot").await, real.pool("snapshot").await);
    // READ COMMITTED knows no such conflict, so the first run is raised above it.
    let (raise, changed): (&[&str], _) = match real {
        Real::Postgres(_) => (&["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"], "40001"),
        Real::MariaDb(_) => (
            &[
                "COMMIT",
                "SET SESSION innodb_snapshot_isolation = ON",
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION",
            ],
            "1020",
        ),
    };
    let (runs, seen, other) = (&AtomicU32::new(0), &Seen::default(), &other);
    database
        .transact("read_then_write", |tx| async move {
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                for sql in raise {
                    tx.execute_unprepared(sql).await?;
                }
                number(&*tx, "SELECT n FROM counter WHERE id = 1").await;
                let faster = other.for_migrations().execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 1");
                faster.await?;
            }
            seen.note(count_up(&tx, 1).await)?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(counters(&database).await, [2, 0]);
    assert_eq!(*seen.0.lock().unwrap(), [changed]);
}
