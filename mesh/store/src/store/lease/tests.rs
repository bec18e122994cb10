use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::ConnectionTrait;
use servers::engine::FreshDatabase;

use super::*;

/// Fast enough for a test, and with many beats to a lapse all the same.
const QUICK: Timing =
    Timing { beat: Duration::from_millis(50), lapse: Duration::from_millis(1_000), patience: Duration::from_secs(20) };

async fn open() -> (FreshDatabase, Database) {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    (kept, database)
}

#[tokio::test]
async fn there_is_one_holder_at_a_time() {
    let (kept, _) = open().await;
    let (inside, mut tasks) = (&*Box::leak(Box::new(AtomicUsize::new(0))), tokio::task::JoinSet::new());
    for _ in 0..6 {
        let database = Database::connect(kept.url(), 4).await.unwrap();
        tasks.spawn(async move {
            hold(&database, QUICK, async {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                sleep(QUICK.beat * 2).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
            .await
            .unwrap();
        });
    }
    assert_eq!(tasks.join_all().await.len(), 6);
}

#[tokio::test]
async fn a_holder_that_is_gone_loses_the_lease_and_one_that_works_does_not() {
    let (kept, gone) = open().await;
    add_table(&gone).await.unwrap();
    assert_eq!(try_to_take(&gone, Uuid::now_v7()).await.unwrap(), None);

    let patient = Database::connect(kept.url(), 4).await.unwrap();
    let waited = Instant::now();
    hold(&patient, QUICK, async {
        assert!(waited.elapsed() > QUICK.lapse, "it was taken too early");
        let hurried = Database::connect(kept.url(), 4).await.unwrap();
        let hurry = Timing { patience: QUICK.lapse * 2, ..QUICK };
        let refused = hold(&hurried, hurry, async { Ok(()) }).await;
        assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_holder_whose_lease_was_taken_over_stops() {
    let (_kept, database) = open().await;
    let stopped = hold(&database, QUICK, async {
        let taken = "UPDATE migration_lease SET beat = 7 WHERE id = 1";
        database.for_migrations().execute_unprepared(taken).await?;
        database
            .transact("take_over", |tx| async move {
                Entity::update_many().col_expr(Column::Holder, Expr::value(Uuid::now_v7())).exec(&*tx).await?;
                Ok(())
            })
            .await?;
        std::future::pending::<()>().await;
        Ok(())
    })
    .await;
    assert!(matches!(stopped, Err(Error::Internal(_))), "{stopped:?}");
}
