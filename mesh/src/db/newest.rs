//! Keeping the newest of what is heard, in whatever order it comes.

use sea_orm::{ActiveModelTrait, Condition, EntityTrait, QueryFilter};

use super::{StoreError, Tx};

/// What became of a row that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is the first of its key.
    First,
    /// It took the place of an older one.
    Newer,
    /// What stands there is as new.
    Nothing,
}

impl Tx {
    /// Writes `row` over the one of its key if that is `older`, or as the first. Whoever comes first to a key keeps it until the
    /// commit, so that two that are heard at once cannot miss each other.
    pub async fn keep_newest<A: ActiveModelTrait>(&self, row: A, older: Condition) -> Result<Kept, StoreError> {
        let overwrite = || A::Entity::update_many().set(row.clone()).filter(older.clone()).exec(&**self);
        if overwrite().await?.rows_affected > 0 {
            return Ok(Kept::Newer);
        }
        if self.insert_new(row.clone()).await? {
            return Ok(Kept::First);
        }
        // It is as new, or it was inserted between the two statements.
        Ok(if overwrite().await?.rows_affected > 0 { Kept::Newer } else { Kept::Nothing })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveValue::Set, ColumnTrait};
    use uuid::Uuid;

    use super::*;
    use crate::{
        bus::testbed::Testbed,
        store::entity::place::{ActiveModel, Column, Entity},
    };

    #[tokio::test]
    async fn whatever_the_order_the_newest_stays() {
        let testbed = Testbed::new();
        let database = testbed.database("x.db").await;
        let database = &database;
        let keep = |position: i64| async move {
            let row =
                ActiveModel { consumer: Set("room".to_owned()), position: Set(position), event_id: Set(Uuid::nil()) };
            let older = Condition::all().add(Column::Consumer.eq("room")).add(Column::Position.lt(position));
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
}
