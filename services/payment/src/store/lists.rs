//! Queries for callers: the owner is part of the WHERE clause, and pages continue after a key.

use mesh::{Error, Reach, page::Page};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, QueryFilter};
use uuid::Uuid;

use super::{
    entity::{ledger_entry, payment, refund},
    rows,
};
use crate::domain::{payment::Payment, refund::Refund};

/// The payments within that reach: those that the user pays or earns.
pub fn of_parties(reach: &Reach) -> Condition {
    reach.any_of(&[payment::Column::Payer, payment::Column::Payee])
}

/// The payments for cases in that collection, such as `reservations`.
pub fn of_cases(collection: &str) -> Condition {
    Condition::all().add(payment::Column::CaseName.starts_with(format!("{collection}/")))
}

/// The payment of that id, if it is one of these.
pub async fn find(connection: &impl ConnectionTrait, id: Uuid, seen: Condition) -> Result<Option<Payment>, Error> {
    let row = payment::Entity::find_by_id(id).filter(seen).one(connection).await?;
    row.map(rows::payment_of).transpose()
}

/// A page of these payments, of `case` if one is given, the newest first; keyed by their creation and id.
pub async fn payments(
    connection: &impl ConnectionTrait,
    seen: Condition,
    case: Option<&str>,
    page: &Page<(i64, Uuid)>,
) -> Result<Vec<Payment>, Error> {
    let mut query = payment::Entity::find().filter(seen);
    if let Some(case) = case {
        query = query.filter(payment::Column::CaseName.eq(case));
    }
    let rows =
        page.of(query, &[payment::Column::CreateTime, payment::Column::Id], &Order::Desc).all(connection).await?;
    rows.into_iter().map(rows::payment_of).collect()
}

/// The refunds of a payment, the newest first; keyed by their creation and id.
pub async fn refunds_of(
    connection: &impl ConnectionTrait,
    payment: Uuid,
    page: &Page<(i64, Uuid)>,
) -> Result<Vec<Refund>, Error> {
    let query = refund::Entity::find().filter(refund::Column::PaymentId.eq(payment));
    let rows = page.of(query, &[refund::Column::CreateTime, refund::Column::Id], &Order::Desc).all(connection).await?;
    rows.into_iter().map(rows::refund_of).collect()
}

/// Which entries of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Only those about this payment.
    pub payment: Option<Uuid>,
    /// Only those of this account.
    pub account: Option<String>,
}

/// The ledger, the oldest entries first; keyed by their id.
pub async fn ledger_entries(
    connection: &impl ConnectionTrait,
    filter: &LedgerFilter,
    page: &Page<Uuid>,
) -> Result<Vec<ledger_entry::Model>, Error> {
    let mut query = ledger_entry::Entity::find();
    if let Some(payment) = filter.payment {
        query = query.filter(ledger_entry::Column::PaymentId.eq(payment));
    }
    if let Some(account) = &filter.account {
        query = query.filter(ledger_entry::Column::Account.eq(account));
    }
    Ok(page.of(query, &[ledger_entry::Column::Id], &Order::Asc).all(connection).await?)
}

/// Every payment, for the auditor.
pub async fn all_payments(connection: &impl ConnectionTrait) -> Result<Vec<Payment>, Error> {
    payment::Entity::find().all(connection).await?.into_iter().map(rows::payment_of).collect()
}

/// Every refund, for the auditor.
pub async fn all_refunds(connection: &impl ConnectionTrait) -> Result<Vec<Refund>, Error> {
    refund::Entity::find().all(connection).await?.into_iter().map(rows::refund_of).collect()
}
