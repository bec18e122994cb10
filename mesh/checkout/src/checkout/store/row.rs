//! A case as a row, and back.

use std::str::FromStr;

use jiff::Timestamp;
use mesh_foundation::{clock::from_micros, error::Error, fields, money::Money};
use sea_orm::{ActiveModelTrait, EntityTrait, ModelTrait, Value, sea_query};
use uuid::Uuid;

use super::{NewRow, Row, id_of};
use crate::checkout::{Cancellation, Case, Cases, Mode, PaymentAction, Record, Standing, State};

/// The column of that name in the context's table.
pub(super) fn column<C: Cases>(name: &str) -> Result<<C::Table as EntityTrait>::Column, Error> {
    FromStr::from_str(name).map_err(|_| Error::Internal(format!("the table of {} has no column {name}", C::COLLECTION)))
}

/// What is said of a row that does not read back.
fn broken(name: &str, what: &str) -> Error {
    Error::Internal(format!("{name} is stored with a {what} that does not read back"))
}

/// A case as the row that is written: its own columns, the id and the lifecycle's.
pub fn row_of<C: Cases>(case: &C::Case) -> Result<NewRow<C>, Error> {
    let mut row = Writing::<C>(C::to_row(case)?);
    let Record {
        name,
        version,
        standing: Standing { state, mode, attempt, attempt_open, calls, paid, cancel_asked },
        correlation_id,
        payer,
        payee,
        total,
        earn_time,
        hold_expire_time,
        next_attempt_time,
        sweeps,
        payment_label,
        pay_time,
        payment_action,
        reject_reason,
        refund_failure_reason,
        cancellation,
        cancel_reason,
        refund_amount,
        confirm_time,
        cancel_time,
        orphans,
        confirmation_code,
        create_time,
        update_time,
    } = case.record();
    let action = payment_action.as_ref();
    let cancellation = cancellation.map(Cancellation::names);
    row.set("id", id_of::<C>(name)?)?;
    row.set("version", *version)?;
    row.set("state", state.name())?;
    row.set("all_or_nothing", *mode == Mode::AllOrNothing)?;
    row.set_number("attempt", *attempt)?;
    row.set("attempt_open", *attempt_open)?;
    row.set_number("calls", *calls)?;
    row.set("paid", *paid)?;
    row.set("cancel_asked", *cancel_asked)?;
    row.set("correlation_id", correlation_id.as_str())?;
    row.set("payer", payer.as_str())?;
    row.set("payee", payee.as_str())?;
    row.set("total_minor", total.minor())?;
    row.set("currency", total.code())?;
    row.set("refund_minor", refund_amount.map(Money::minor))?;
    row.set("earn_time", earn_time.as_microsecond())?;
    row.set("hold_expire_time", hold_expire_time.as_microsecond())?;
    row.set("next_attempt_time", micros(*next_attempt_time))?;
    row.set_number("sweeps", *sweeps)?;
    row.set("payment_label", payment_label.clone())?;
    row.set("pay_time", micros(*pay_time))?;
    row.set("action_uri", action.map(|action| action.uri.clone()))?;
    row.set("action_expire_time", micros(action.and_then(|action| action.expire_time)))?;
    row.set("reject_reason", reject_reason.clone())?;
    row.set("refund_failure_reason", refund_failure_reason.clone())?;
    row.set("cancel_party", cancellation.map(|(party, _)| party))?;
    row.set("cancel_cause", cancellation.map(|(_, cause)| cause))?;
    row.set("cancel_reason", cancel_reason.clone())?;
    row.set("confirm_time", micros(*confirm_time))?;
    row.set("cancel_time", micros(*cancel_time))?;
    row.set("orphans", *orphans)?;
    row.set("confirmation_code", confirmation_code.as_str())?;
    row.set("create_time", create_time.as_microsecond())?;
    row.set("update_time", update_time.as_microsecond())?;
    Ok(row.0)
}

/// The case that a row holds.
pub fn case_of<C: Cases>(row: Row<C>) -> Result<C::Case, Error> {
    let record = record_of::<C>(&row)?;
    C::from_row(row, record)
}

fn record_of<C: Cases>(row: &Row<C>) -> Result<Record, Error> {
    let mut row = Reading::<C> { row, name: C::COLLECTION.to_owned() };
    row.name = fields::name(C::COLLECTION, row.get::<Uuid>("id")?);
    let currency: String = row.get("currency")?;
    let money = |minor| Money::new(minor, &currency).map_err(|_| broken(&row.name, "currency"));
    let party_and_cause = row.get::<Option<String>>("cancel_party")?.zip(row.get::<Option<String>>("cancel_cause")?);
    let action_expire_time = row.instant("action_expire_time")?;
    Ok(Record {
        name: row.name.clone(),
        version: row.get("version")?,
        standing: Standing {
            state: State::parse(&row.get::<String>("state")?).ok_or_else(|| broken(&row.name, "state"))?,
            mode: if row.get("all_or_nothing")? { Mode::AllOrNothing } else { Mode::Hold },
            attempt: row.number("attempt")?,
            attempt_open: row.get("attempt_open")?,
            calls: row.number("calls")?,
            paid: row.get("paid")?,
            cancel_asked: row.get("cancel_asked")?,
        },
        correlation_id: row.get("correlation_id")?,
        payer: row.get("payer")?,
        payee: row.get("payee")?,
        total: money(row.get("total_minor")?)?,
        earn_time: from_micros(row.get("earn_time")?),
        hold_expire_time: from_micros(row.get("hold_expire_time")?),
        next_attempt_time: row.instant("next_attempt_time")?,
        sweeps: row.number("sweeps")?,
        payment_label: row.get("payment_label")?,
        pay_time: row.instant("pay_time")?,
        payment_action: row
            .get::<Option<String>>("action_uri")?
            .map(|uri| PaymentAction { uri, expire_time: action_expire_time }),
        reject_reason: row.get("reject_reason")?,
        refund_failure_reason: row.get("refund_failure_reason")?,
        cancellation: party_and_cause
            .map(|(party, cause)| Cancellation::parse(&party, &cause).ok_or_else(|| broken(&row.name, "cancellation")))
            .transpose()?,
        cancel_reason: row.get("cancel_reason")?,
        refund_amount: row.get::<Option<i64>>("refund_minor")?.map(money).transpose()?,
        confirm_time: row.instant("confirm_time")?,
        cancel_time: row.instant("cancel_time")?,
        orphans: row.get("orphans")?,
        confirmation_code: row.get("confirmation_code")?,
        create_time: from_micros(row.get("create_time")?),
        update_time: from_micros(row.get("update_time")?),
    })
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_microsecond)
}

/// A row that is being filled in.
struct Writing<C: Cases>(NewRow<C>);

impl<C: Cases> Writing<C> {
    fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), Error> {
        let set = self.0.try_set(column::<C>(name)?, value.into());
        set.map_err(|error| Error::Internal(format!("{name} of {} cannot be written: {error}", C::COLLECTION)))
    }

    fn set_number(&mut self, name: &str, number: u32) -> Result<(), Error> {
        let number = i32::try_from(number);
        self.set(name, number.map_err(|_| Error::Internal(format!("{name} of {} is too large", C::COLLECTION)))?)
    }
}

/// A row that is being read. The name is the case's, once its id is read.
struct Reading<'r, C: Cases> {
    row: &'r Row<C>,
    name: String,
}

impl<C: Cases> Reading<'_, C> {
    fn get<T: sea_query::ValueType>(&self, name: &str) -> Result<T, Error> {
        <T as sea_query::ValueType>::try_from(self.row.get(column::<C>(name)?)).map_err(|_| broken(&self.name, name))
    }

    fn number(&self, name: &str) -> Result<u32, Error> {
        u32::try_from(self.get::<i32>(name)?).map_err(|_| broken(&self.name, name))
    }

    fn instant(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.get::<Option<i64>>(name)?.map(from_micros))
    }
}
