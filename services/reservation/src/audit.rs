//! What the auditor reads here: every reservation and every night, read only.

use mesh::{Database, Error, checkout::State};
use uuid::Uuid;

pub use crate::store::NightRow;
use crate::{domain::Reservation, store};

/// How many reservations are read at a time.
const PAGE: u64 = 1_000;

/// A reservation as the audit needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Its version.
    pub version: i64,
    /// Who pays.
    pub guest: String,
    /// Who is paid.
    pub host: String,
    /// The room.
    pub room: Uuid,
    /// Each night, as `2027-05-01`.
    pub nights: Vec<String>,
    /// How many units.
    pub units: u32,
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

/// Every reservation.
pub async fn reservations(database: &Database) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let page = store::Reservations::page(database.read(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = Some(last.id);
        entries.extend(page.iter().map(entry));
    }
}

/// Every night of which anything was ever taken or blocked.
pub async fn nights(database: &Database) -> Result<Vec<NightRow>, Error> {
    store::all_nights(database.read()).await
}

fn entry(case: &Reservation) -> Entry {
    let record = &case.record;
    Entry {
        name: record.name.clone(),
        state: record.state(),
        version: record.version,
        guest: record.payer.clone(),
        host: record.payee.clone(),
        room: case.room,
        nights: case.stay.nights().map(|night| night.to_string()).collect(),
        units: case.stay.units,
        total_minor: record.total.minor(),
        currency: record.total.code(),
        refund_minor: record.refund_amount.map(mesh::money::Money::minor),
        payment: record.payment(),
        payments: (1..=record.standing.attempt)
            .map(|attempt| mesh::checkout::payment_name(&record.name, attempt))
            .collect(),
        was_confirmed: record.confirm_time.is_some(),
        hold_expire_micros: record.hold_expire_time.as_microsecond(),
        update_micros: record.update_time.as_microsecond(),
    }
}
