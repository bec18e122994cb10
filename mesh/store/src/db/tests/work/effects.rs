//! What follows from a work's commit, in its order.

use std::sync::Mutex;

use mesh_testing::event;
use uuid::Uuid;

use super::*;
use crate::outbox;

/// What happened, in its order.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_waits_for_a_work_is_done_in_its_order_before_anybody_is_woken() {
    let bench = Bench::open().await;
    let (told, commits) = (Told::default(), bench.database.commits());
    let (first, second, watches) = (told.clone(), told.clone(), commits.clone());
    let work = Work::new("effects").then(up([1], 0)).then(up([2], 0)).on_commit(move || first.note("first"));
    let work = work.on_commit(move || second.note(if watches.has_changed().unwrap() { "late" } else { "second" }));
    assert_eq!(bench.database.perform(work).await.unwrap(), Ok(()));
    assert_eq!(told.all(), ["first", "second"]);
    assert!(commits.has_changed().unwrap(), "and then they are woken");
}

#[tokio::test]
async fn what_waits_for_a_work_that_falls_short_or_fails_is_not_done() {
    let bench = Bench::open().await;
    let (told, commits) = (Told::default(), bench.database.commits());
    let effect = || {
        let told = told.clone();
        move || told.note("done")
    };
    let short = Work::new("short").then(up([1], 7)).on_commit(effect());
    bench.database.perform(short).await.unwrap().unwrap_err();
    let alone = Work::new("alone").then(Step::insert_new(another(1))).on_commit(effect());
    bench.database.perform(alone).await.unwrap().unwrap_err();
    let duplicate = Work::new("duplicate").then(Step::insert(another(1))).on_commit(effect());
    bench.database.perform(duplicate).await.unwrap_err();
    assert_eq!(told.all(), [""; 0]);
    assert_eq!(Arc::strong_count(&told.0), 1, "nothing of it is kept");
    assert!(!commits.has_changed().unwrap(), "nobody is woken");
}

#[tokio::test]
async fn what_waits_for_a_work_that_is_performed_again_is_done_once() {
    let bench = Bench::open().await;
    let told = Told::default();
    let mut tasks = tokio::task::JoinSet::new();
    for first in [1, 2].repeat(2) {
        let (pool, told) = (Database::connect(bench.kept.url(), 2).await.unwrap(), told.clone());
        tasks.spawn(async move {
            for _ in 0..10 {
                let told = told.clone();
                let circle = Work::new("circle").then(up_from_anywhere(first)).then(up_from_anywhere(3 - first));
                pool.perform(circle.on_commit(move || told.note("done"))).await.unwrap().unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(told.all().len(), 40);
}

#[tokio::test]
async fn an_event_of_a_work_is_stored_and_wakes_the_relay() {
    let bench = Bench::open().await;
    crate::store::migrate(&bench.database, &crate::testbed::Migrator).await.unwrap();
    let (kept, lost) = (event("room", 1), event("room", 2));
    let woken = async || {
        let woken = bench.database.outbox_appended();
        tokio::time::timeout(std::time::Duration::from_millis(20), woken).await.is_ok()
    };
    let work = |from, event| Work::new("tell").then(up([1], from)).then(outbox::appended(event).unwrap());
    bench.database.perform(work(7, lost.clone())).await.unwrap().unwrap_err();
    assert!(!woken().await, "there is nothing to publish");
    bench.database.perform(work(0, kept.clone())).await.unwrap().unwrap();
    assert!(woken().await);
    assert_eq!(stored(&bench.database).await, [kept.id]);
    // SQLite remembers beside its file what it has acknowledged.
    let remembered = (bench.database.engine() == Engine::Sqlite).then_some(kept.id);
    assert_eq!(bench.database.acknowledged().unwrap(), remembered);
}

async fn stored(database: &Database) -> Vec<Uuid> {
    use crate::store::entity::outbox::Entity;
    Entity::find().all(database.read()).await.unwrap().into_iter().map(|row| row.id).collect()
}
