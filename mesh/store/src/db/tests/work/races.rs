//! Many at once, and callers who are gone.

use super::*;

#[tokio::test]
async fn of_works_that_race_for_a_row_one_wins_and_the_others_hear_it() {
    let bench = Bench::open().await;
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..4 {
        let pool = Database::connect(bench.kept.url(), 4).await.unwrap();
        for turn in 0..10 {
            let pool = pool.clone();
            racers.spawn(async move {
                let id = 100 + racer * 10 + turn;
                let work = Work::new("race").then(Step::insert(another(id))).then(up([1], 0)).then(up([2], 0));
                pool.perform(work).await.unwrap()
            });
        }
    }
    let told = racers.join_all().await;
    assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1);
    assert!(told.iter().all(|told| told.is_ok() || *told == short(1, 0)), "{told:?}");
    assert_eq!((counters(&bench.database).await, rows(&bench.database).await), ([1, 1], 3), "only one has left a row");
}

#[tokio::test]
async fn of_works_that_race_for_a_key_one_adds_the_row() {
    let bench = Bench::open().await;
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = Database::connect(bench.kept.url(), 4).await.unwrap();
        for alone in [true, false].repeat(5) {
            let pool = pool.clone();
            racers.spawn(async move {
                let mut work = Work::new("race").then(Step::insert_new(another(3)));
                if !alone {
                    work = work.then(up_from_anywhere(1));
                }
                (alone, pool.perform(work).await.unwrap())
            });
        }
    }
    let told = racers.join_all().await;
    let won = told.iter().filter(|(_, told)| told.is_ok()).collect::<Vec<_>>();
    assert_eq!(won.len(), 1);
    assert!(told.iter().all(|(_, told)| told.is_ok() || *told == short(0, 0)), "{told:?}");
    assert_eq!(counters(&bench.database).await, [i32::from(!won[0].0), 0], "who lost has counted nothing");
}

#[tokio::test]
async fn works_that_wait_for_one_another_in_a_circle_are_all_done() {
    let bench = Bench::open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for first in [1, 2].repeat(3) {
        let pool = Database::connect(bench.kept.url(), 2).await.unwrap();
        tasks.spawn(async move {
            for _ in 0..15 {
                let work = Work::new("circle").then(up_from_anywhere(first)).then(up_from_anywhere(3 - first));
                assert_eq!(pool.perform(work).await.unwrap(), Ok(()));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(counters(&bench.database).await, [90, 90]);
}

/// What was not acknowledged may be there or not, but never a part of it; and the next work is unharmed.
#[tokio::test]
async fn a_work_that_is_dropped_anywhere_is_done_or_not_and_harms_no_other() {
    let bench = Bench::open().await;
    let database = Database::connect(bench.kept.url(), 2).await.unwrap();
    for polls in 0..40 {
        let both = Work::new("dropped").then(up_from_anywhere(1)).then(up_from_anywhere(2));
        let mut dropped = Box::pin(database.perform(both));
        for _ in 0..polls {
            if futures::poll!(dropped.as_mut()).is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(dropped);
        let next = Work::new("next").then(Step::insert(another(10 + polls))).then(Step::insert(another(100 + polls)));
        assert_eq!(database.perform(next).await.unwrap(), Ok(()));
    }
    // Seen by others, and not only by a connection that is still inside of a transaction.
    let [first, second] = counters(&bench.database).await;
    assert_eq!(first, second);
    assert_eq!(rows(&bench.database).await, 2 + 2 * 40);
}

#[tokio::test]
async fn who_falls_short_decides_by_what_stands() {
    let bench = Bench::open().await;
    let decide = |tx: Tx| async move {
        count_up(&tx, 2).await?;
        Ok("decided")
    };
    let work = |from| Work::new("either").then(up([1], from));
    assert_eq!(bench.database.perform_or(work(0), "done", decide).await.unwrap(), "done");
    assert_eq!(counters(&bench.database).await, [1, 0]);
    assert_eq!(bench.database.perform_or(work(0), "done", decide).await.unwrap(), "decided");
    assert_eq!(counters(&bench.database).await, [1, 1]);
}
