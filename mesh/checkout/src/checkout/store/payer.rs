//! The payers of a context's cases: what the open holds of one payer are counted under.

use mesh_foundation::error::Error;
use mesh_store::db::Tx;
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*};

/// One payer. The row holds nothing; it is there to be locked.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payer")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Locks the payer's row, which is made by the first hold, until the transaction ends. It is looked for first: on MySQL an insert
/// that finds it there shares its lock, and two that share it can neither of them go on.
pub(super) async fn lock(tx: &Tx, name: &str) -> Result<(), Error> {
    let row = || Entity::find_by_id(name.to_owned()).lock_exclusive().one(&**tx);
    if row().await?.is_none() {
        tx.insert_new(ActiveModel { name: Set(name.to_owned()) }).await?;
        row().await?;
    }
    Ok(())
}
