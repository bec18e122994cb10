//! All of a work, or nothing and what fell short first.

use super::*;

#[tokio::test]
async fn a_work_whose_statements_touch_what_they_have_to_is_done() {
    let bench = Bench::open().await;
    let work = Work::new("done")
        .then(Step::insert_new(another(3)))
        .then(Step::from(up([1, 2], 0)).exactly(2))
        .then(Step::insert_all([another(4), another(5)]))
        .then(Step::from(up([7, 8], 0)).any())
        .then(Step::insert(another(6)));
    assert_eq!(bench.database.perform(work).await.unwrap(), Ok(()));
    assert_eq!((counters(&bench.database).await, rows(&bench.database).await), ([1, 1], 6));
    let uncounted = Work::new("uncounted").then(Step::from(up([1], 1)).any()).then(Step::from(up([9], 0)).any());
    assert_eq!(bench.database.perform(uncounted).await.unwrap(), Ok(()));
    assert_eq!(counters(&bench.database).await, [2, 1]);
    let nothing = Work::new("nothing").then(Step::from(up([9], 0)).exactly(0));
    assert_eq!(bench.database.perform(nothing).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_work_that_falls_short_says_where_and_has_changed_nothing() {
    let bench = Bench::open().await;
    let database = &bench.database;
    let there = || Step::insert_new(another(1));
    let works = [
        (Work::new("first").then(there()).then(Step::insert(another(3))), short(0, 0)),
        (Work::new("middle").then(Step::insert(another(3))).then(up([1], 7)).then(up([2], 0)), short(1, 0)),
        (Work::new("last").then(Step::insert(another(3))).then(Step::from(up([1, 2, 9], 0)).exactly(3)), short(1, 2)),
        (Work::new("too many").then(up([1, 2], 0)), short(0, 2)),
        (Work::new("two").then(up([1], 7)).then(there()), short(0, 0)),
        (Work::new("after any").then(Step::from(up([9], 0)).any()).then(there()), short(1, 0)),
        (Work::new("alone").then(there()), short(0, 0)),
        (
            Work::new("deleted")
                .then(counter::Entity::delete_many().filter(counter::Column::Id.eq(9)))
                .then(Step::insert(another(3))),
            short(0, 0),
        ),
    ];
    for (work, told) in works {
        let label = work.label();
        assert_eq!(database.perform(work).await.unwrap(), told, "{label}");
        assert_eq!((counters(database).await, rows(database).await), ([0, 0], 2), "{label}");
    }
}

#[tokio::test]
async fn what_follows_a_statement_that_falls_short_is_not_even_tried() {
    let bench = Bench::open().await;
    // The second one would be an error, and not the end of the matter.
    let work = Work::new("short").then(up([1], 7)).then(Step::insert(another(2)));
    assert_eq!(bench.database.perform(work).await.unwrap(), short(0, 0));
    let work = Work::new("short").then(Step::insert_new(another(1))).then(Step::insert_all([another(2), another(3)]));
    assert_eq!(bench.database.perform(work).await.unwrap(), short(0, 0));
}

#[tokio::test]
async fn a_row_that_is_there_is_an_error_unless_it_was_asked_for() {
    let bench = Bench::open().await;
    let works = [
        Work::new("duplicate").then(Step::insert(another(1))),
        Work::new("duplicate").then(up([1], 0)).then(Step::insert(another(2))),
        Work::new("duplicate").then(up([1], 0)).then(Step::insert_all([another(3), another(3)])),
    ];
    for work in works {
        let outcome = bench.database.perform(work).await;
        assert!(matches!(outcome, Err(Error::Store(StoreError::Duplicate(_)))), "{outcome:?}");
        assert_eq!((counters(&bench.database).await, rows(&bench.database).await), ([0, 0], 2));
    }
}

#[tokio::test]
async fn a_statement_that_is_wrong_is_a_mistake_of_ours_and_changes_nothing() {
    let bench = Bench::open().await;
    bench.database.for_migrations().execute_unprepared("ALTER TABLE counter RENAME TO counted").await.unwrap();
    let outcome = bench.database.perform(Work::new("wrong").then(up([1], 0)).then(up([2], 0))).await;
    assert!(matches!(outcome, Err(Error::Store(StoreError::Other(_)))), "{outcome:?}");
    bench.database.for_migrations().execute_unprepared("ALTER TABLE counted RENAME TO counter").await.unwrap();
    assert_eq!(bench.database.perform(Work::new("right").then(up([1], 0)).then(up([2], 0))).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_constraint_that_is_checked_at_the_commit_undoes_the_work() {
    let bench = Bench::open().await;
    if bench.database.engine() == Engine::MySql {
        return; // It has none.
    }
    let sql = "CREATE TABLE late (id INTEGER NOT NULL REFERENCES counter (id) DEFERRABLE INITIALLY DEFERRED)";
    bench.database.for_migrations().execute_unprepared(sql).await.unwrap();
    let late = |id| late::ActiveModel { id: Set(id) };
    for work in [
        Work::new("late").then(Step::insert(late(77))),
        Work::new("late").then(up([1], 0)).then(Step::insert(late(77))),
    ] {
        bench.database.perform(work).await.unwrap_err();
        assert_eq!(counters(&bench.database).await, [0, 0]);
    }
    let work = Work::new("in time").then(Step::insert(late(5))).then(Step::insert(another(5)));
    assert_eq!(bench.database.perform(work).await.unwrap(), Ok(()));
}

/// A table whose rows name a counter.
mod late {
    use crate::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "late")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
    }
}

#[tokio::test]
async fn texts_and_nothing_and_bytes_arrive_as_they_are_whatever_they_look_like() {
    use crate::store::entity::request;

    let bench = Bench::open().await;
    crate::store::migrate(&bench.database, &crate::testbed::Migrator).await.unwrap();
    let odd = "'; jumak: statement 0 touched this many rows: 7 $1 ? 방 🏠";
    let row = |id: &str, case: Option<&str>, answer| request::ActiveModel {
        principal: Set(odd.to_owned()),
        method: Set("Create".to_owned()),
        request_id: Set(id.to_owned()),
        fingerprint: Set(vec![0, 255, 39]),
        case_name: Set(case.map(str::to_owned)),
        attempt: Set(3),
        answer: Set(answer),
        create_time: Set(i64::MAX),
    };
    let work = Work::new("texts")
        .then(Step::insert_new(row(odd, None, Some(vec![0; 3]))))
        .then(Step::insert_all([row("a", Some(odd), None), row("b", None, Some(Vec::new()))]))
        .then(up([1], 0));
    assert_eq!(bench.database.perform(work).await.unwrap(), Ok(()));
    for (id, case, answer) in [(odd, None, Some(vec![0; 3])), ("a", Some(odd), None), ("b", None, Some(Vec::new()))] {
        let key = (odd.to_owned(), "Create".to_owned(), id.to_owned());
        let found = request::Entity::find_by_id(key).one(bench.database.read()).await.unwrap().unwrap();
        assert_eq!((found.case_name.as_deref(), found.answer, found.fingerprint), (case, answer, vec![0, 255, 39]));
        assert_eq!((found.attempt, found.create_time), (3, i64::MAX));
    }
}

#[test]
fn works_of_one_shape_are_one_text() {
    use super::super::super::work::texts;

    let steps = |id, from| [Step::insert_new(another(id)), up([id], from).into(), Step::insert(another(from))];
    let mut texts = [(3, 0), (4, 7)].map(|(id, from)| {
        let steps = steps(id, from);
        (texts::postgres(&steps).sql, texts::sqlite(&steps).sql)
    });
    let [one, other] = &mut texts;
    assert_eq!(one, other);
}
