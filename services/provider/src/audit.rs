//! The auditor's view of the provider's books. Charges are counted here, not in payment's tables.

use std::collections::HashMap;

use mesh::{Database, Error};
use sea_orm::EntityTrait;

use crate::{
    domain::charge::{Charge, Moved, Refund},
    store::{self, entity::movement},
};

/// A charge, and how often money moved for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedCharge {
    /// The charge.
    pub charge: Charge,
    /// How often money was taken: never more than once.
    pub times_taken: u32,
    /// What was given back, in minor units.
    pub given_back_minor: i64,
}

/// Every charge, including those that have not arrived yet.
pub async fn charges(database: &Database) -> Result<Vec<AuditedCharge>, Error> {
    let charges = store::all_charges(database.read()).await?;
    let mut moved: HashMap<String, (u32, i64)> = HashMap::new();
    for row in movement::Entity::find().all(database.read()).await? {
        let (times_taken, given_back_minor) = moved.entry(row.charge_id).or_default();
        if row.direction == Moved::Taken.name() {
            *times_taken += 1;
        } else {
            *given_back_minor += row.amount_minor;
        }
    }
    Ok(charges
        .into_iter()
        .map(|charge| {
            let (times_taken, given_back_minor) = moved.remove(&charge.id).unwrap_or_default();
            AuditedCharge { charge, times_taken, given_back_minor }
        })
        .collect())
}

/// Every refund.
pub async fn refunds(database: &Database) -> Result<Vec<Refund>, Error> {
    store::all_refunds(database.read()).await
}
