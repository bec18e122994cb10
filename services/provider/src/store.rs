//! Charges, refunds and movements in the provider's own database.

pub(crate) mod entity;
mod migration;
mod rows;

use jiff::Timestamp;
use mesh::{Error, Tx, clock::from_micros, db::Step, money::Money, page::Page};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use self::entity::{charge, charge_refund, movement};
use crate::domain::charge::{Charge, Moved, Refund, State};

pub use migration::SCHEMA;

/// The charge of that id.
pub async fn find(connection: &impl ConnectionTrait, id: &str) -> Result<Option<Charge>, Error> {
    charge::Entity::find_by_id(id).one(connection).await?.map(rows::charge_of).transpose()
}

/// The charge of that id, locked until the transaction ends.
pub async fn lock(tx: &Tx, id: &str) -> Result<Option<Charge>, Error> {
    charge::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?.map(rows::charge_of).transpose()
}

/// Adds a charge, unless there is one of its id.
pub fn added(charge: &Charge) -> Step {
    Step::insert_new(rows::charge_row(charge))
}

/// Adds a charge, and tells whether its id was new.
pub async fn insert(tx: &Tx, charge: &Charge) -> Result<bool, Error> {
    Ok(tx.insert_new(rows::charge_row(charge)).await?)
}

/// Writes a charge over the row that is still at the revision at which it was read.
pub async fn save(tx: &Tx, charge: &mut Charge) -> Result<(), Error> {
    let read_at = charge.revision;
    charge.revision += 1;
    tx.overwrite(rows::charge_row(charge), charge::Column::Revision.eq(read_at)).await
}

/// The refund of that charge and id.
pub async fn refund(connection: &impl ConnectionTrait, charge: &str, id: &str) -> Result<Option<Refund>, Error> {
    let row = charge_refund::Entity::find_by_id((charge.to_owned(), id.to_owned())).one(connection).await?;
    row.map(rows::refund_of).transpose()
}

/// Adds a refund. Its charge is locked by this transaction.
pub async fn insert_refund(tx: &Tx, refund: &Refund) -> Result<(), Error> {
    charge_refund::Entity::insert(rows::refund_row(refund)).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes a refund that is carried out over the row that was not. Its charge is locked by this transaction.
pub async fn save_refund(tx: &Tx, refund: &Refund) -> Result<(), Error> {
    tx.overwrite(rows::refund_row(refund), charge_refund::Column::DueTime.is_not_null()).await
}

/// Writes down that money moved.
pub fn moved(charge: &str, moved: Moved, amount: Money, now: Timestamp) -> Step {
    let row = movement::ActiveModel {
        id: Set(Uuid::now_v7()),
        charge_id: Set(charge.to_owned()),
        direction: Set(moved.name().to_owned()),
        currency: Set(amount.code().to_owned()),
        amount_minor: Set(amount.minor()),
        move_time: Set(now.as_microsecond()),
    };
    Step::insert(row)
}

/// Up to `limit` charges to be carried out, the next one first: their ids and when.
pub async fn next_charges(connection: &impl ConnectionTrait, limit: u64) -> Result<Vec<(String, Timestamp)>, Error> {
    let due: Vec<(String, i64)> = charge::Entity::find()
        .select_only()
        .column(charge::Column::Id)
        .column(charge::Column::DueTime)
        .filter(charge::Column::DueTime.is_not_null())
        .order_by_asc(charge::Column::DueTime)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(due.into_iter().map(|(id, due)| (id, from_micros(due))).collect())
}

/// Up to `limit` refunds to be carried out, the next one first: their charges, their ids and when.
pub async fn next_refunds(
    connection: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<(String, String, Timestamp)>, Error> {
    let due: Vec<(String, String, i64)> = charge_refund::Entity::find()
        .select_only()
        .column(charge_refund::Column::ChargeId)
        .column(charge_refund::Column::Id)
        .column(charge_refund::Column::DueTime)
        .filter(charge_refund::Column::DueTime.is_not_null())
        .order_by_asc(charge_refund::Column::DueTime)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(due.into_iter().map(|(charge, id, due)| (charge, id, from_micros(due))).collect())
}

/// A page of the charges that anybody is told of, the oldest first.
pub async fn charges(connection: &impl ConnectionTrait, page: &Page<(i64, String)>) -> Result<Vec<Charge>, Error> {
    let known = charge::Entity::find().filter(charge::Column::State.ne(State::Underway.name()));
    let rows = page.of(known, &[charge::Column::CreateTime, charge::Column::Id], &Order::Asc).all(connection).await?;
    rows.into_iter().map(rows::charge_of).collect()
}

/// All refunds of those charges, the oldest first.
pub async fn refunds_of(connection: &impl ConnectionTrait, charges: &[Charge]) -> Result<Vec<Refund>, Error> {
    let rows = charge_refund::Entity::find()
        .filter(charge_refund::Column::ChargeId.is_in(charges.iter().map(|charge| charge.id.as_str())))
        .order_by_asc(charge_refund::Column::CreateTime)
        .order_by_asc(charge_refund::Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(rows::refund_of).collect()
}

/// Every charge, for the auditor: those that nobody is told of as well.
pub async fn all_charges(connection: &impl ConnectionTrait) -> Result<Vec<Charge>, Error> {
    charge::Entity::find().all(connection).await?.into_iter().map(rows::charge_of).collect()
}

/// Every refund, for the auditor.
pub async fn all_refunds(connection: &impl ConnectionTrait) -> Result<Vec<Refund>, Error> {
    charge_refund::Entity::find().all(connection).await?.into_iter().map(rows::refund_of).collect()
}
