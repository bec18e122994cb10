//! Rows that wait for their time, and are taken up by whoever claims them: by a committed update of just that time, so that two
//! replicas never both do, and one that cannot be read is claimed like any other, and waits like any other.

use jiff::Timestamp;
use mesh_foundation::error::Error;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::db::Database;

/// A table whose rows are taken up when their time has come.
pub trait Claimed: EntityTrait {
    /// When a row is taken up next, in microseconds; absent if it is not.
    const NEXT: Self::Column;
    /// How often it was.
    const ATTEMPTS: Self::Column;
}

/// Up to `limit` rows that are due, the longest due first.
pub async fn due<E: Claimed>(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<E::Model>, Error> {
    let due = E::find().filter(E::NEXT.lte(now.as_microsecond())).order_by_asc(E::NEXT).limit(limit);
    Ok(due.all(connection).await?)
}

/// Takes a row up: moves its time from where it was read to `next`. False if somebody else has.
pub async fn claim<E: Claimed>(database: &Database, row: &E::Model, next: Option<Timestamp>) -> Result<bool, Error> {
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
        store::entity::request::{ActiveModel, Column, Entity},
        testbed::Testbed,
    };

    impl Claimed for Entity {
        const NEXT: Column = Column::CreateTime;
        const ATTEMPTS: Column = Column::Attempt;
    }

    #[tokio::test]
    async fn what_is_due_is_claimed_once_and_counted() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
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
}
