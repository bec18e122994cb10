//! Works: what each engine makes of the same statements.

mod effects;
mod races;
mod whole;

use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, Set, UpdateMany, sea_query::Expr};

use super::*;

/// The table of [`Bench`]'s counters.
pub(super) mod counter {
    use crate::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "counter")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub n: i32,
        pub most: i32,
    }
}

/// Counts up those of the counters that are at `from`.
pub(super) fn up(ids: impl IntoIterator<Item = i32>, from: i32) -> UpdateMany<counter::Entity> {
    counter::Entity::update_many()
        .col_expr(counter::Column::N, Expr::col(counter::Column::N).add(1))
        .filter(counter::Column::Id.is_in(ids))
        .filter(counter::Column::N.eq(from))
}

/// Counts a counter up, wherever it is.
pub(super) fn up_from_anywhere(id: i32) -> UpdateMany<counter::Entity> {
    counter::Entity::update_many()
        .col_expr(counter::Column::N, Expr::col(counter::Column::N).add(1))
        .filter(counter::Column::Id.eq(id))
}

/// One more counter, at 0.
pub(super) fn another(id: i32) -> counter::ActiveModel {
    counter::ActiveModel { id: Set(id), n: Set(0), most: Set(9) }
}

fn short(statement: usize, touched: u64) -> Result<(), Short> {
    Err(Short { statement, touched })
}

/// How many counters there are.
async fn rows(database: &Database) -> i32 {
    let count = if database.engine() == Engine::MySql { "CAST(COUNT(*) AS INT)" } else { "CAST(COUNT(*) AS INTEGER)" };
    number(database.read(), &format!("SELECT {count} AS n FROM counter")).await
}
