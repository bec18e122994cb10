//! Payments, refunds and the ledger in the context's own database.

pub(crate) mod entity;
mod lists;
mod migration;
mod rows;

use jiff::Timestamp;
use mesh::{Error, Tx, db::Step, fields, store::claim::Claimed};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QuerySelect};
use uuid::Uuid;

use self::entity::{ledger_entry, payment, refund};
use crate::domain::{
    ledger::{self, Movement},
    payment::Payment,
    refund::Refund,
};

pub use entity::ledger_entry::Model as LedgerRow;
pub use lists::{
    LedgerFilter, all_payments, all_refunds, find, ledger_entries, of_cases, of_parties, payments, refunds_of,
};
pub use migration::SCHEMA;
pub use rows::{payment_of, refund_of};

/// The payment of that id, locked until the transaction ends, so that a decision about it stays valid until it is written.
pub async fn lock(tx: &Tx, id: Uuid) -> Result<Option<Payment>, Error> {
    let row = payment::Entity::find_by_id(id).lock_exclusive().one(&**tx).await?;
    row.map(rows::payment_of).transpose()
}

/// Adds `fresh`; if there is a payment of its id, returns that one, locked.
pub async fn lock_or_insert(tx: &Tx, fresh: &Payment) -> Result<Option<Payment>, Error> {
    if let Some(existing) = lock(tx, fresh.id).await? {
        return Ok(Some(existing));
    }
    if tx.insert_new(rows::payment_row(fresh)?).await? {
        return Ok(None);
    }
    // Another transaction has inserted it in between.
    lock(tx, fresh.id).await?.map(Some).ok_or(Error::Lost)
}

/// Adds a payment, unless there is one of its id.
pub fn added(fresh: &Payment) -> Result<Step, Error> {
    Ok(Step::insert_new(rows::payment_row(fresh)?))
}

/// Writes a payment over the row that is still at the revision at which it was read.
pub fn saved(payment: &mut Payment) -> Result<Step, Error> {
    let read_at = payment.revision;
    payment.revision += 1;
    Ok(Step::over(rows::payment_row(payment)?, payment::Column::Revision.eq(read_at)))
}

/// The same, of which it writes what is not as it was when it was read, and all that is written without a new revision.
pub fn changed(read: &Payment, payment: &mut Payment) -> Result<Step, Error> {
    payment.revision = read.revision + 1;
    Ok(Step::over(rows::changed(read, payment)?, payment::Column::Revision.eq(read.revision)))
}

/// The refund of that payment and id.
pub async fn refund(connection: &impl ConnectionTrait, payment: Uuid, id: Uuid) -> Result<Option<Refund>, Error> {
    let row = refund::Entity::find_by_id((payment, id)).one(connection).await?;
    row.map(rows::refund_of).transpose()
}

/// Adds a refund. Its payment is locked by this transaction, so that no other transaction adds it.
pub fn refund_added(refund: &Refund) -> Result<Step, Error> {
    Ok(Step::insert(rows::refund_row(refund)?))
}

/// Writes a refund that has ended over the row that is still at the version before.
pub async fn save_refund(tx: &Tx, refund: &Refund) -> Result<(), Error> {
    tx.overwrite(rows::refund_row(refund)?, refund::Column::Version.eq(refund.version - 1)).await
}

/// Adds a movement to the ledger, as one transaction of it; refuses one that does not balance.
pub fn booked(payment: Uuid, movement: &Movement, now: Timestamp) -> Result<Step, Error> {
    let entries = movement.entries();
    ledger::check(&entries).map_err(|error| Error::Internal(format!("a movement of payments/{payment}: {error}")))?;
    let transaction = Uuid::now_v7();
    let rows = entries.map(|entry| ledger_entry::ActiveModel {
        id: Set(Uuid::now_v7()),
        transaction_id: Set(transaction),
        payment_id: Set(payment),
        account: Set(entry.account.name()),
        side: Set(entry.side.name().to_owned()),
        currency: Set(entry.amount.code().to_owned()),
        amount_minor: Set(entry.amount.minor()),
        earn_time: Set(entry.earn_time.map(Timestamp::as_microsecond)),
        create_time: Set(now.as_microsecond()),
    });
    Ok(Step::insert_all(rows))
}

impl Claimed for payment::Entity {
    const NEXT: payment::Column = payment::Column::NextAttemptTime;
    const ATTEMPTS: payment::Column = payment::Column::Attempts;

    fn name(row: &payment::Model) -> String {
        fields::name("payments", row.id)
    }
}

impl Claimed for refund::Entity {
    const NEXT: refund::Column = refund::Column::NextAttemptTime;
    const ATTEMPTS: refund::Column = refund::Column::Attempts;

    fn name(row: &refund::Model) -> String {
        fields::name("refunds", row.id)
    }
}
