//! Between rows and the domain.

use jiff::Timestamp;
use mesh::{Error, clock::from_micros, store::Reading};
use sea_orm::ActiveValue::Set;

use super::entity::{charge, charge_refund};
use crate::domain::charge::{Charge, Refund};

pub(super) fn charge_row(charge: &Charge) -> charge::ActiveModel {
    charge::ActiveModel {
        id: Set(charge.id.clone()),
        currency: Set(charge.amount.code().to_owned()),
        amount_minor: Set(charge.amount.minor()),
        committed_minor: Set(charge.committed.minor()),
        refunded_minor: Set(charge.refunded.minor()),
        state: Set(charge.state.name().to_owned()),
        plan: Set(charge.plan.name().to_owned()),
        refund_plan: Set(charge.refund_plan.name().to_owned()),
        decline_reason: Set(charge.decline_reason.clone()),
        due_time: Set(charge.due_time.map(Timestamp::as_microsecond)),
        create_time: Set(charge.create_time.as_microsecond()),
        revision: Set(charge.revision),
    }
}

pub(super) fn charge_of(row: charge::Model) -> Result<Charge, Error> {
    let reading = Reading("charges", &row.id);
    let money = |minor| reading.money(minor, &row.currency);
    Ok(Charge {
        amount: money(row.amount_minor)?,
        committed: money(row.committed_minor)?,
        refunded: money(row.refunded_minor)?,
        state: reading.text("state", &row.state)?,
        plan: reading.text("plan", &row.plan)?,
        refund_plan: reading.text("plan of refunds", &row.refund_plan)?,
        decline_reason: row.decline_reason,
        due_time: row.due_time.map(from_micros),
        create_time: from_micros(row.create_time),
        revision: row.revision,
        id: row.id,
    })
}

pub(super) fn refund_row(refund: &Refund) -> charge_refund::ActiveModel {
    charge_refund::ActiveModel {
        charge_id: Set(refund.charge.clone()),
        id: Set(refund.id.clone()),
        currency: Set(refund.amount.code().to_owned()),
        amount_minor: Set(refund.amount.minor()),
        state: Set(refund.state.name().to_owned()),
        failure_reason: Set(refund.failure_reason.clone()),
        due_time: Set(refund.due_time.map(Timestamp::as_microsecond)),
        create_time: Set(refund.create_time.as_microsecond()),
    }
}

pub(super) fn refund_of(row: charge_refund::Model) -> Result<Refund, Error> {
    let reading = Reading("refunds", &row.id);
    Ok(Refund {
        amount: reading.money(row.amount_minor, &row.currency)?,
        state: reading.text("state", &row.state)?,
        failure_reason: row.failure_reason,
        due_time: row.due_time.map(from_micros),
        create_time: from_micros(row.create_time),
        charge: row.charge_id,
        id: row.id,
    })
}
