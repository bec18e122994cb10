//! What the audit reads of a case, whatever is sold.

use mesh_foundation::money::Money;

use super::{Record, State, payment_name};

/// A case as the audit needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEntry {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Its version.
    pub version: i64,
    /// Who pays.
    pub payer: String,
    /// Who is paid.
    pub payee: String,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// In this currency.
    pub currency: &'static str,
    /// What its cancellation gives back, in minor units.
    pub refund_minor: Option<i64>,
    /// The payment of its newest attempt.
    pub payment: Option<String>,
    /// Every payment it may ever have asked for.
    pub payments: Vec<String>,
    /// Whether it was ever confirmed.
    pub was_confirmed: bool,
    /// When its hold ends, in microseconds.
    pub hold_expire_micros: i64,
    /// When it last changed, in microseconds.
    pub update_micros: i64,
}

impl CaseEntry {
    /// What the lifecycle has written down of a case.
    pub fn of(record: &Record) -> Self {
        Self {
            name: record.name.clone(),
            state: record.state(),
            version: record.version,
            payer: record.payer.clone(),
            payee: record.payee.clone(),
            total_minor: record.total.minor(),
            currency: record.total.code(),
            refund_minor: record.refund_amount.map(Money::minor),
            payment: record.payment(),
            payments: (1..=record.standing.attempt).map(|attempt| payment_name(&record.name, attempt)).collect(),
            was_confirmed: record.confirm_time.is_some(),
            hold_expire_micros: record.hold_expire_time.as_microsecond(),
            update_micros: record.update_time.as_microsecond(),
        }
    }

    /// The collection that its name is in, as in `reservations`.
    pub fn collection(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}
