//! Databases brought up to date, by one process and by many.

use mesh_foundation::Error;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use servers::engine::FreshDatabase;

use super::{
    Schema, SchemaManager, Tables, migrator,
    version::{self, DataVersion, FORMAT, JUMAK},
};
use crate::{Database, testbed::Migrator};

async fn steps(database: &Database) -> u64 {
    migrator::row::Entity::find().count(database.read()).await.unwrap()
}

#[tokio::test]
async fn of_many_that_migrate_a_fresh_database_at_once_each_finds_it_done() {
    let kept = FreshDatabase::new().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let database = Database::connect(kept.url(), 4).await.unwrap();
        tasks.spawn(async move { super::migrate(&database, &Migrator).await.map(|_| steps(&database)).unwrap().await });
    }
    let all = super::migrations().len() as u64;
    assert_eq!(tasks.join_all().await, [all; 6]);
}

#[tokio::test]
async fn a_database_that_is_up_to_date_takes_no_step() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    assert_eq!(super::migrate(&database, &Migrator).await.unwrap().len(), super::migrations().len());
    assert!(super::migrate(&database, &Migrator).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_step_that_was_taken_and_that_nobody_knows_is_not_passed_over() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    super::migrate(&database, &Migrator).await.unwrap();
    let strange = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0099_strange', 0)";
    database.for_migrations().execute_unprepared(strange).await.unwrap();
    let error = super::migrate(&database, &Migrator).await.unwrap_err();
    assert!(format!("{error:?}").contains("m0099_strange was taken"), "{error:?}");
}

#[tokio::test]
async fn steps_that_were_cut_off_are_carried_on_with() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    super::migrate(&database, &Migrator).await.unwrap();
    for sql in ["DROP TABLE request", "DELETE FROM seaql_migrations"] {
        database.for_migrations().execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(super::migrate(&database, &Migrator).await.unwrap().len(), super::migrations().len());
    let manager = SchemaManager::new(database.for_migrations());
    assert!(manager.has_table("request").await.unwrap());
    assert!(manager.has_index("request", "request_case").await.unwrap());
}

#[tokio::test]
async fn a_database_says_in_which_format_it_is_and_who_made_it() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    assert_eq!(version::check(database.read()).await.unwrap(), None);
    super::migrate(&database, &Migrator).await.unwrap();
    assert_eq!(version::check(database.read()).await.unwrap(), Some(DataVersion::current()));
}

/// A context whose own steps come after the mesh's.
const CONTEXT: Schema = Schema::new(|| vec![Box::new(Tables { name: "m0101_own_tables", tables: &[], indices: &[] })]);

/// What whoever looks at the database is told, which must be the same for all, and change nothing.
async fn refusal(database: &Database) -> String {
    let before = steps(database).await;
    let told = |error: Error| match error {
        Error::Incompatible(why) => why.to_string(),
        other => panic!("no refusal of its version: {other}"),
    };
    let migrated = told(CONTEXT.migrate(database).await.unwrap_err());
    assert_eq!(told(CONTEXT.pending(database).await.unwrap_err()), migrated);
    assert_eq!(told(version::check(database.read()).await.unwrap_err()), migrated);
    assert_eq!(steps(database).await, before);
    assert_eq!(migrated.lines().count(), 1, "{migrated}");
    migrated
}

#[tokio::test]
async fn data_of_another_version_is_left_alone_and_it_is_said_whose_it_is() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    CONTEXT.migrate(&database).await.unwrap();
    let run = async |sql: &str| database.for_migrations().execute_unprepared(sql).await.unwrap();

    // A step that this version does not have, so that nothing but the mark keeps it out.
    run("DELETE FROM seaql_migrations WHERE version = 'm0101_own_tables'").await;
    run(&format!("UPDATE data_version SET format = {}, jumak = '9.9.9'", FORMAT + 1)).await;
    let newer = refusal(&database).await;
    for part in [&format!("format {}, made by jumak 9.9.9", FORMAT + 1), JUMAK, "run jumak 9.9.9 or a newer one"] {
        assert!(newer.contains(part), "{newer}");
    }
    run("UPDATE data_version SET format = 0, jumak = '0.0.1'").await;
    let older = refusal(&database).await;
    assert!(older.contains("format 0, made by jumak 0.0.1") && older.contains(JUMAK), "{older}");
    run("DROP TABLE data_version").await;
    let unmarked = refusal(&database).await;
    assert!(unmarked.contains("carries no version") && unmarked.contains("begin with an empty"), "{unmarked}");
}

#[tokio::test]
async fn a_mark_that_was_cut_off_is_made_anew() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    version::mark(database.for_migrations()).await.unwrap();
    database.for_migrations().execute_unprepared("DELETE FROM data_version").await.unwrap();
    assert_eq!(version::check(database.read()).await.unwrap(), None);
    super::migrate(&database, &Migrator).await.unwrap();
    assert_eq!(version::check(database.read()).await.unwrap(), Some(DataVersion::current()));
}

/// A format that changes what is written, and no table, has no step that would bring the mark with it.
#[tokio::test]
async fn a_database_that_takes_no_step_is_marked_all_the_same() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    super::migrate(&database, &Migrator).await.unwrap();
    database.for_migrations().execute_unprepared("DELETE FROM data_version").await.unwrap();
    assert!(super::migrate(&database, &Migrator).await.unwrap().is_empty());
    assert_eq!(version::check(database.read()).await.unwrap(), Some(DataVersion::current()));
}

/// Killed after the mark and before the last step: nobody of an older version goes on with it, and this one does.
#[tokio::test]
async fn a_database_is_marked_before_its_first_step() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = Database::connect(kept.url(), 4).await.unwrap();
    CONTEXT.migrate(&database).await.unwrap();
    let half = "DELETE FROM seaql_migrations WHERE version <> 'm0001_mesh_tables'";
    database.for_migrations().execute_unprepared(half).await.unwrap();
    database.for_migrations().execute_unprepared("UPDATE data_version SET jumak = '0.0.9'").await.unwrap();
    assert_eq!(CONTEXT.pending(&database).await.unwrap(), ["m0101_own_tables"]);
    assert_eq!(version::check(database.read()).await.unwrap().map(|version| version.jumak), Some("0.0.9".to_owned()));
}
