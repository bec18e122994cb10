//! The payers of a context's holds, so that the open holds of one payer can be counted exactly.

use mesh_foundation::error::Error;
use mesh_store::{
    db::{Step, Tx},
    store::prelude::*,
};
use sea_orm::{
    ActiveValue::Set,
    Condition, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use super::{id_of, row::column};
use crate::checkout::record::{Cases, Record};

/// One payer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
#[sea_orm(table_name = "payer")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(80))")]
    pub name: String,
    /// The case that was their last hold.
    pub last_hold: Option<Uuid>,
}

/// Makes the holds of a payer follow one another. A statement that waits here for another hold of the same payer, and so counts the payer's
/// cases as they were before that hold, touches no row: the hold before is not among the cases that it sees. Nor does the payer's first.
pub(in crate::checkout) fn take_turn<C: Cases>(hold: &Record) -> Result<Step, Error> {
    let before = C::Table::find()
        .select_only()
        .expr(Expr::val(1))
        .filter(Expr::col((C::Table::default(), column::<C>("id")?)).equals((Entity, Column::LastHold)));
    let sees_it = Condition::any().add(Column::LastHold.is_null()).add(Expr::exists(before.into_query()));
    let update = Entity::update_many()
        .col_expr(Column::LastHold, Expr::value(id_of::<C>(&hold.name)?))
        .filter(Column::Name.eq(&hold.payer))
        .filter(sees_it);
    Ok(update.into())
}

/// Locks the payer's row, which is made by the first hold, until the transaction ends. It is looked for first: on MySQL an insert
/// that finds it there shares its lock, and two that share it can neither of them go on.
pub(in crate::checkout) async fn lock(tx: &Tx, name: &str) -> Result<(), Error> {
    let row = || Entity::find_by_id(name.to_owned()).lock_exclusive().one(&**tx);
    if row().await?.is_none() {
        tx.insert_new(ActiveModel { name: Set(name.to_owned()), last_hold: Set(None) }).await?;
        row().await?;
    }
    Ok(())
}
