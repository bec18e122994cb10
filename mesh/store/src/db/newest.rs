//! Overwrites a row only if it is unchanged since it was read, and only with a newer one.

use mesh_foundation::error::Error;
use sea_orm::{ActiveModelTrait, sea_query::Expr};

use super::{Step, StoreError, Tx};

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is the first of its key.
    First,
    /// It took the place of an older one.
    Newer,
    /// The stored row is at least as new.
    Nothing,
}

impl Tx {
    /// Writes `row` over the row of its key, which must still be `as_read`; [`Error::Lost`] if it is not.
    pub async fn overwrite<A: ActiveModelTrait>(&self, row: A, as_read: Expr) -> Result<(), Error> {
        self.expect(Step::over(row, as_read)).await
    }

    /// Writes `row` over the row of its key if that is `older`, or inserts it. The first transaction to write a key locks it until the
    /// commit, so that two concurrent writes cannot miss each other.
    pub async fn keep_newest<A: ActiveModelTrait>(&self, row: A, older: Expr) -> Result<Kept, StoreError> {
        if self.carry_out(&Step::over(row.clone(), older.clone())).await? > 0 {
            return Ok(Kept::Newer);
        }
        if self.insert_new(row.clone()).await? {
            return Ok(Kept::First);
        }
        // The stored row is as new, or it was inserted between the two statements.
        Ok(if self.carry_out(&Step::over(row, older)).await? > 0 { Kept::Newer } else { Kept::Nothing })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait};
    use uuid::Uuid;

    use super::*;
    use crate::{
        store::entity::place::{ActiveModel, Column, Entity},
        testbed::Testbed,
    };

    #[tokio::test]
    async fn whatever_the_order_the_newest_stays() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        let database = &database;
        let keep = |position: i64| async move {
            let row =
                ActiveModel { consumer: Set("room".to_owned()), position: Set(position), event_id: Set(Uuid::nil()) };
            let older = Column::Position.lt(position);
            let (row, older) = (&row, &older);
            let kept =
                database.transact("keep", |tx| async move { Ok(tx.keep_newest(row.clone(), older.clone()).await?) });
            kept.await.unwrap()
        };
        let mut kept = Vec::new();
        for position in [2, 1, 2, 3] {
            kept.push(keep(position).await);
        }
        assert_eq!(kept, [Kept::First, Kept::Nothing, Kept::Nothing, Kept::Newer]);
        let rows = Entity::find().all(database.read()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.position).collect::<Vec<_>>(), [3]);
    }
    #[tokio::test]
    async fn a_row_is_written_over_only_as_it_was_read_and_no_other_is() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        let row = |consumer: &str, position| ActiveModel {
            consumer: Set(consumer.to_owned()),
            position: Set(position),
            event_id: Set(Uuid::nil()),
        };
        let write = async |new: i64, read: i64| {
            let written = database
                .transact("write", |tx| async move { tx.overwrite(row("room", new), Column::Position.eq(read)).await });
            written.await
        };
        database
            .transact("insert", |tx| async move {
                Entity::insert_many([row("room", 1), row("stay", 1)]).exec_without_returning(&*tx).await?;
                Ok(())
            })
            .await
            .unwrap();
        write(2, 1).await.unwrap();
        assert!(matches!(write(3, 1).await, Err(Error::Lost)), "it is no longer as it was read");
        let mut rows = Entity::find().all(database.read()).await.unwrap();
        rows.sort_by(|a, b| a.consumer.cmp(&b.consumer));
        assert_eq!(rows.iter().map(|row| row.position).collect::<Vec<_>>(), [2, 1]);
    }
}
