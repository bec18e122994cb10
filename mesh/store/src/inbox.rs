//! Makes a consumer's effects happen once: the event's [key](mesh_foundation::event::Event::key) is committed together with them. Also
//! counts the failures of an event, which are committed separately.

use jiff::Timestamp;
use mesh_foundation::error::Error;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    db::{Database, Tx},
    store::entity::{
        failure,
        inbox::{ActiveModel, Column, Entity},
        incarnation,
    },
};

/// Rows that are purged in one transaction, give or take those of the same instant.
const FORGET: u64 = 1_000;

/// Records that `consumer` handles the event of that key in this transaction; false if it has handled it before.
pub async fn is_new(tx: &Tx, consumer: &str, event: Uuid, now: Timestamp) -> Result<bool, Error> {
    let row = ActiveModel {
        consumer: Set(consumer.to_owned()),
        event_id: Set(event),
        handle_time: Set(now.as_microsecond()),
    };
    Ok(tx.insert_new(row).await?)
}

/// Purges a bounded number of the events that were handled before `before`, and returns the number of rows: zero when none is left.
/// `before` must be earlier than any event that the bus may still redeliver.
pub async fn forget(tx: &Tx, before: Timestamp) -> Result<u64, Error> {
    let bound: Option<i64> = Entity::find()
        .select_only()
        .column(Column::HandleTime)
        .order_by_asc(Column::HandleTime)
        .offset(FORGET)
        .limit(1)
        .into_tuple()
        .one(&**tx)
        .await?;
    let oldest = Column::HandleTime.lt(before.as_microsecond());
    let oldest = match bound {
        Some(bound) => oldest.and(Column::HandleTime.lte(bound)),
        None => oldest,
    };
    let deleted = Entity::delete_many().filter(oldest).exec(&**tx).await?;
    Ok(deleted.rows_affected)
}

/// Counts a failure of `consumer` that was caused by the event of that key, and returns the count.
pub async fn failed(tx: &Tx, consumer: &str, event: Uuid) -> Result<u32, Error> {
    let first = failure::ActiveModel { consumer: Set(consumer.to_owned()), event_id: Set(event), failures: Set(1) };
    if tx.insert_new(first).await? {
        return Ok(1);
    }
    failure::Entity::update_many()
        .col_expr(failure::Column::Failures, Expr::col(failure::Column::Failures).add(1))
        .filter(failure::Column::Consumer.eq(consumer))
        .filter(failure::Column::EventId.eq(event))
        .exec(&**tx)
        .await?;
    let row = failure::Entity::find_by_id((consumer.to_owned(), event)).one(&**tx).await?;
    Ok(row.map_or(1, |row| row.failures.unsigned_abs()))
}

/// Resets the failure count of the event of that key for `consumer`.
pub async fn settled(tx: &Tx, consumer: &str, event: Uuid) -> Result<(), Error> {
    failure::Entity::delete_by_id((consumer.to_owned(), event)).exec(&**tx).await?;
    Ok(())
}

/// The row of the incarnation, and the row of the page-token secret.
const INCARNATION: i32 = 1;
const PAGE_SECRET: i32 = 2;

/// The incarnation of this database, made at the first call. If a projection's database is deleted, the new one has another incarnation,
/// and so is a new consumer that gets everything from the beginning.
pub async fn incarnation(database: &Database) -> Result<Uuid, Error> {
    kept(database, INCARNATION, Uuid::now_v7()).await
}

/// The secret that signs this database's page tokens, made at the first call. Not the incarnation, which is public on the bus as part of
/// a consumer's name.
pub async fn page_secret(database: &Database) -> Result<Uuid, Error> {
    kept(database, PAGE_SECRET, Uuid::new_v4()).await
}

/// The value in that row; `fresh` if it was empty.
async fn kept(database: &Database, id: i32, fresh: Uuid) -> Result<Uuid, Error> {
    if let Some(row) = incarnation::Entity::find_by_id(id).one(database.read()).await? {
        return Ok(row.incarnation);
    }
    database
        .transact("incarnation", |tx| async move {
            tx.insert_new(incarnation::ActiveModel { id: Set(id), incarnation: Set(fresh) }).await?;
            Ok(())
        })
        .await?;
    let row = incarnation::Entity::find_by_id(id).one(database.read()).await?;
    row.map(|row| row.incarnation)
        .ok_or_else(|| Error::Internal("failed to store the database's incarnation or secret".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::Testbed;

    #[tokio::test]
    async fn page_tokens_are_not_proven_with_what_the_bus_can_see() {
        let bed = Testbed::new();
        let database = bed.database("x.db").await;
        let (incarnation, secret) = (incarnation(&database).await.unwrap(), page_secret(&database).await.unwrap());
        assert_ne!(incarnation, secret);
        assert_eq!(self::incarnation(&database).await.unwrap(), incarnation, "it stays");
        assert_eq!(page_secret(&database).await.unwrap(), secret, "it stays");
    }
}
