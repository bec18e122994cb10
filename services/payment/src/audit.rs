//! The auditor's view of payment's books, read directly from the database.

use mesh::{Database, Error, db::Engine};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QuerySelect,
    sea_query::{CaseStatement, Expr, SimpleExpr},
};
use uuid::Uuid;

use crate::{
    domain::{ledger::Side, payment::Payment, refund::Refund},
    store::{self, entity::ledger_entry},
};

/// Every payment.
pub async fn payments(database: &Database) -> Result<Vec<Payment>, Error> {
    store::all_payments(database.read()).await
}

/// Every refund and reversal.
pub async fn refunds(database: &Database) -> Result<Vec<Refund>, Error> {
    store::all_refunds(database.read()).await
}

/// The balance of one payment on one account, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Balance {
    /// The payment.
    pub payment_id: Uuid,
    /// The account, as in [`Account::name`](crate::domain::ledger::Account::name).
    pub account: String,
    /// The currency.
    pub currency: String,
    /// Debits less credits, in minor units.
    pub debit_minor: i64,
}

/// The ledger's balances, by payment, account and currency. Their sum is zero for each payment.
pub async fn balances(database: &Database) -> Result<Vec<Balance>, Error> {
    let balances = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::PaymentId)
        .column(ledger_entry::Column::Account)
        .column(ledger_entry::Column::Currency)
        .column_as(debit_less_credit(database.engine()), "debit_minor")
        .group_by(ledger_entry::Column::PaymentId)
        .group_by(ledger_entry::Column::Account)
        .group_by(ledger_entry::Column::Currency)
        .into_model::<Balance>()
        .all(database.read())
        .await?;
    Ok(balances)
}

/// The ledger's transactions that do not balance: none, unless the database was changed by hand.
pub async fn unbalanced(database: &Database) -> Result<Vec<Uuid>, Error> {
    let transactions = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::TransactionId)
        .group_by(ledger_entry::Column::TransactionId)
        .group_by(ledger_entry::Column::Currency)
        .having(debit_less_credit(database.engine()).ne(0))
        .into_tuple::<Uuid>()
        .all(database.read())
        .await?;
    Ok(transactions)
}

/// A sum is a decimal on PostgreSQL and MySQL; the amounts are whole numbers, so it is cast back.
fn debit_less_credit(engine: Engine) -> SimpleExpr {
    let signed: SimpleExpr = CaseStatement::new()
        .case(ledger_entry::Column::Side.eq(Side::Debit.name()), Expr::col(ledger_entry::Column::AmountMinor))
        .finally(Expr::val(0).sub(Expr::col(ledger_entry::Column::AmountMinor)))
        .into();
    signed.sum().cast_as(if engine == Engine::MySql { "SIGNED" } else { "BIGINT" })
}
