//! Databases brought up to date, by one process and by many.

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use sea_orm_migration::{SchemaManager, seaql_migrations};
use servers::engine::FreshDatabase;

use crate::{Database, bus::testbed::Migrator};

async fn steps(database: &Database) -> u64 {
    seaql_migrations::Entity::find().count(database.read()).await.unwrap()
}

#[tokio::test]
async fn of_many_that_migrate_a_fresh_database_at_once_each_finds_it_done() {
    let kept = FreshDatabase::new().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let database = Database::connect(kept.url(), 4).await.unwrap();
        tasks
            .spawn(async move { super::migrate::<Migrator>(&database).await.map(|_| steps(&database)).unwrap().await });
    }
    let all = super::migrations().len() as u64;
    assert_eq!(tasks.join_all().await, [all; 6]);
}

#[tokio::test]
async fn a_database_that_is_up_to_date_takes_no_step() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    assert_eq!(super::migrate::<Migrator>(&database).await.unwrap().len(), super::migrations().len());
    assert!(super::migrate::<Migrator>(&database).await.unwrap().is_empty());
}

#[tokio::test]
async fn steps_that_were_cut_off_are_carried_on_with() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    super::migrate::<Migrator>(&database).await.unwrap();
    for sql in ["DROP TABLE request", "DELETE FROM seaql_migrations"] {
        database.for_migrations().execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(super::migrate::<Migrator>(&database).await.unwrap().len(), super::migrations().len());
    let manager = SchemaManager::new(database.for_migrations());
    assert!(manager.has_table("request").await.unwrap());
    assert!(manager.has_index("request", "request_case").await.unwrap());
}
