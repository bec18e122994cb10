//! Many at once for what there is too little of.

use super::*;

#[tokio::test]
async fn the_last_units_are_sold_once_over_several_pools() {
    let bench = Bench::open().await;
    bench.database.for_migrations().execute_unprepared("UPDATE counter SET most = 5 WHERE id = 1").await.unwrap();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = Database::connect(bench.kept.url(), 4).await.unwrap();
        for _ in 0..50 {
            let pool = pool.clone();
            racers.spawn(async move {
                pool.transact("race", |tx| async move {
                    exactly_one(count_up(&tx, 2).await?)?;
                    Ok(count_up(&tx, 1).await?)
                })
                .await
                .unwrap()
            });
        }
    }
    let sold: u64 = racers.join_all().await.into_iter().sum();
    assert_eq!(sold, 5);
    assert_eq!(counters(&bench.database).await, [5, 200], "each racer ran once");
}

#[tokio::test]
async fn a_row_is_new_to_one_of_many() {
    let bench = Bench::open().await;
    crate::store::migrate(&bench.database, &crate::testbed::Migrator).await.unwrap();
    let event = uuid::Uuid::now_v7();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = Database::connect(bench.kept.url(), 4).await.unwrap();
        for _ in 0..10 {
            let pool = pool.clone();
            racers.spawn(async move {
                let now = mesh_foundation::Clock::system().now();
                pool.transact("hear", |tx| async move { crate::inbox::is_new(&tx, "mypage", event, now).await })
                    .await
                    .unwrap()
            });
        }
    }
    let new = racers.join_all().await.into_iter().filter(|new| *new).count();
    assert_eq!(new, 1);
}
