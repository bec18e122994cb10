//! Rows that wait for their time, and are taken up by whoever claims them: by a committed update of just that time, so that two
//! replicas never both do, and one that cannot be read is claimed like any other, and waits like any other.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use jiff::Timestamp;
use mesh_foundation::error::Error;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::db::Database;

/// How many rows are read at a time.
const BATCH: u64 = 64;
/// How many of them are worked on concurrently.
const CONCURRENCY: usize = 8;

/// A table whose rows are taken up when their time has come.
pub trait Claimed: EntityTrait {
    /// When a row is taken up next, in microseconds; absent if it is not.
    const NEXT: Self::Column;
    /// How often it was.
    const ATTEMPTS: Self::Column;

    /// The name of the row's resource, for the log.
    fn name(row: &Self::Model) -> String;
}

/// Takes up a batch of the rows that are due: claims each until `next`, and then does `work` on it. A row whose work fails is taken up again
/// at that time. Returns how many were claimed. Rows that could not be claimed do not count: otherwise a read-only database would be polled
/// without a pause.
pub async fn take_up<E: Claimed, F: Future<Output = Result<(), Error>>>(
    database: &Database,
    now: Timestamp,
    next: impl Fn(&E::Model) -> Option<Timestamp>,
    work: impl Fn(E::Model) -> F,
) -> Result<usize, Error> {
    let rows = due::<E>(database.read(), now, BATCH).await?;
    let (claimed, next, work) = (&AtomicUsize::new(0), &next, &work);
    futures::stream::iter(rows)
        .for_each_concurrent(CONCURRENCY, |row| async move {
            let name = E::name(&row);
            let done = match claim::<E>(database, &row, next(&row)).await {
                Ok(false) => return,
                Ok(true) => {
                    claimed.fetch_add(1, Ordering::Relaxed);
                    work(row).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::warn!(
                    name,
                    error = &error as &dyn std::error::Error,
                    "failed to work on what was due; will retry"
                );
            }
        })
        .await;
    Ok(claimed.load(Ordering::Relaxed))
}

/// Up to `limit` rows that are due, the longest due first.
async fn due<E: Claimed>(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<E::Model>, Error> {
    let due = E::find().filter(E::NEXT.lte(now.as_microsecond())).order_by_asc(E::NEXT).limit(limit);
    Ok(due.all(connection).await?)
}

/// Takes a row up: moves its time from where it was read to `next`. False if somebody else has.
async fn claim<E: Claimed>(database: &Database, row: &E::Model, next: Option<Timestamp>) -> Result<bool, Error> {
    let mut as_read = Condition::all().add(E::NEXT.eq(row.get(E::NEXT)));
    for key in E::PrimaryKey::iter() {
        let column = key.into_column();
        as_read = as_read.add(column.eq(row.get(column)));
    }
    let as_read = &as_read;
    database
        .transact("claim", |tx| async move {
            let claimed = E::update_many()
                .col_expr(E::NEXT, Expr::value(next.map(Timestamp::as_microsecond)))
                .col_expr(E::ATTEMPTS, Expr::col(E::ATTEMPTS).add(1))
                .filter(as_read.clone())
                .exec(&*tx)
                .await?;
            Ok(claimed.rows_affected == 1)
        })
        .await
}

#[cfg(test)]
mod tests {
    use mesh_foundation::clock::from_micros;
    use sea_orm::ActiveValue::Set;

    use super::*;
    use crate::{
        store::entity::request::{ActiveModel, Column, Entity, Model},
        testbed::Testbed,
    };

    impl Claimed for Entity {
        const NEXT: Column = Column::CreateTime;
        const ATTEMPTS: Column = Column::Attempt;

        fn name(row: &Model) -> String {
            row.request_id.clone()
        }
    }

    async fn three_rows(database: &Database) {
        let row = |id: &str, time: i64| ActiveModel {
            principal: Set("users/alice".to_owned()),
            method: Set("CreateThing".to_owned()),
            request_id: Set(id.to_owned()),
            fingerprint: Set(vec![0; 32]),
            case_name: Set(None),
            attempt: Set(0),
            answer: Set(None),
            create_time: Set(time),
        };
        database
            .transact("insert", |tx| async move {
                let rows = [row("late", 30), row("second", 20), row("first", 10)];
                Entity::insert_many(rows).exec_without_returning(&*tx).await?;
                Ok(())
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_is_due_is_claimed_once_and_counted() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        three_rows(&database).await;
        let due = async || due::<Entity>(database.read(), from_micros(20), 10).await.unwrap();
        let found = due().await;
        assert_eq!(found.iter().map(|row| row.request_id.as_str()).collect::<Vec<_>>(), ["first", "second"]);
        let claim = async || claim::<Entity>(&database, &found[0], Some(from_micros(40))).await.unwrap();
        assert_eq!([claim().await, claim().await], [true, false], "somebody else was faster");
        let left = due().await;
        assert_eq!(left.iter().map(|row| row.request_id.as_str()).collect::<Vec<_>>(), ["second"]);
        let key = ("users/alice".to_owned(), "CreateThing".to_owned(), "first".to_owned());
        let claimed = Entity::find_by_id(key).one(database.read()).await.unwrap().unwrap();
        assert_eq!((claimed.create_time, claimed.attempt), (40, 1));
    }
    #[tokio::test]
    async fn what_fails_is_counted_and_taken_up_again_at_its_time() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        three_rows(&database).await;
        let worked = &std::sync::Mutex::new(Vec::new());
        let take_up = async |now: i64| {
            let work = |row: Model| async move {
                worked.lock().unwrap().push(row.request_id.clone());
                if row.request_id == "first" { Err(Error::Internal("it fails".to_owned())) } else { Ok(()) }
            };
            take_up::<Entity, _>(&database, from_micros(now), |_| Some(from_micros(40)), work).await.unwrap()
        };
        assert_eq!([take_up(20).await, take_up(20).await, take_up(40).await], [2, 0, 3]);
        let mut worked = worked.lock().unwrap().clone();
        worked.sort_unstable();
        assert_eq!(worked, ["first", "first", "late", "second", "second"]);
    }
}
