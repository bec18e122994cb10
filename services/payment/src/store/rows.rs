//! Converts between rows and the domain.

use jiff::Timestamp;
use mesh::{
    Actor, Error,
    clock::from_micros,
    store::{Reading, int},
    types::PaymentAction,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, Iterable};

use super::entity::{payment, refund};
use crate::domain::{
    machine::Standing,
    payment::{Bill, Payment},
    provider::Method,
    refund::{Given, Refund},
};

pub(super) fn payment_row(payment: &Payment) -> Result<payment::ActiveModel, Error> {
    let bill = payment.bill.as_ref().map(|(bill, _)| bill);
    let given = payment.bill.as_ref().map(|(_, given)| given);
    let method = payment.charged.as_ref().map(|(method, _)| method);
    Ok(payment::ActiveModel {
        id: Set(payment.id),
        case_name: Set(payment.case.clone()),
        payer: Set(bill.map(|bill| bill.payer.clone())),
        payee: Set(bill.map(|bill| bill.payee.clone())),
        currency: Set(bill.map(|bill| bill.amount.code().to_owned())),
        amount_minor: Set(bill.map_or(0, |bill| bill.amount.minor())),
        earn_time: Set(micros(bill.and_then(|bill| bill.earn_time))),
        refunded_minor: Set(given.map_or(0, |given| given.refunded.minor())),
        refunding_minor: Set(given.map_or(0, |given| given.refunding.minor())),
        owed_minor: Set(given.map_or(0, |given| given.owed.minor())),
        provider: Set(payment.provider.clone()),
        state: Set(payment.state().name().to_owned()),
        calls: Set(int(payment.standing.calls)?),
        call_time: Set(micros(payment.call_time)),
        decline_reason: Set(payment.decline_reason.clone()),
        method_kind: Set(method.map(|method| method.kind.clone())),
        method_brand: Set(method.map(|method| method.brand.clone())),
        method_last4: Set(method.map(|method| method.last4.clone())),
        provider_reference: Set(payment.charged.as_ref().map(|(_, reference)| reference.clone())),
        action_uri: Set(payment.action.as_ref().map(|action| action.uri.clone())),
        action_expire_time: Set(micros(payment.action.as_ref().and_then(|action| action.expire_time))),
        approve_time: Set(micros(payment.approve_time)),
        create_time: Set(payment.create_time.as_microsecond()),
        update_time: Set(payment.update_time.as_microsecond()),
        version: Set(payment.version),
        revision: Set(payment.revision),
        correlation_id: Set(payment.correlation_id.clone()),
        attempts: Set(int(payment.attempts)?),
        next_attempt_time: Set(micros(payment.next_attempt_time)),
    })
}

/// The payment in a row.
pub fn payment_of(row: payment::Model) -> Result<Payment, Error> {
    let reading = Reading("payments", row.id);
    let bill = match (&row.payer, &row.payee, &row.currency) {
        (Some(payer), Some(payee), Some(currency)) => {
            let money = |minor| reading.money(minor, currency);
            let bill = Bill {
                payer: payer.clone(),
                payee: payee.clone(),
                amount: money(row.amount_minor)?,
                earn_time: row.earn_time.map(from_micros),
            };
            let given = Given {
                refunded: money(row.refunded_minor)?,
                refunding: money(row.refunding_minor)?,
                owed: money(row.owed_minor)?,
            };
            Some((bill, given))
        }
        _ => None,
    };
    Ok(Payment {
        id: row.id,
        case: row.case_name,
        bill,
        provider: row.provider,
        standing: Standing {
            state: reading.text("state", &row.state)?,
            calls: reading.count("number of calls", row.calls)?,
        },
        call_time: row.call_time.map(from_micros),
        decline_reason: row.decline_reason,
        charged: row.provider_reference.map(|reference| {
            let method = Method {
                kind: row.method_kind.unwrap_or_default(),
                brand: row.method_brand.unwrap_or_default(),
                last4: row.method_last4.unwrap_or_default(),
            };
            (method, reference)
        }),
        action: row.action_uri.map(|uri| PaymentAction { uri, expire_time: row.action_expire_time.map(from_micros) }),
        approve_time: row.approve_time.map(from_micros),
        create_time: from_micros(row.create_time),
        update_time: from_micros(row.update_time),
        version: row.version,
        revision: row.revision,
        correlation_id: row.correlation_id,
        attempts: reading.count("number of attempts", row.attempts)?,
        next_attempt_time: row.next_attempt_time.map(from_micros),
    })
}

pub(super) fn refund_row(refund: &Refund) -> Result<refund::ActiveModel, Error> {
    Ok(refund::ActiveModel {
        payment_id: Set(refund.payment),
        id: Set(refund.id),
        kind: Set(refund.kind.name().to_owned()),
        currency: Set(refund.amount.code().to_owned()),
        amount_minor: Set(refund.amount.minor()),
        state: Set(refund.state.name().to_owned()),
        failure_reason: Set(refund.failure_reason.clone()),
        correlation_id: Set(refund.actor.correlation_id.clone()),
        causation_id: Set(refund.actor.causation_id.clone()),
        actor: Set(refund.actor.actor.clone()),
        create_time: Set(refund.create_time.as_microsecond()),
        update_time: Set(refund.update_time.as_microsecond()),
        version: Set(refund.version),
        attempts: Set(int(refund.attempts)?),
        next_attempt_time: Set(micros(refund.next_attempt_time)),
    })
}

/// The refund in a row.
pub fn refund_of(row: refund::Model) -> Result<Refund, Error> {
    let reading = Reading("refunds", row.id);
    Ok(Refund {
        payment: row.payment_id,
        id: row.id,
        kind: reading.text("kind", &row.kind)?,
        amount: reading.money(row.amount_minor, &row.currency)?,
        state: reading.text("state", &row.state)?,
        failure_reason: row.failure_reason,
        actor: Actor { correlation_id: row.correlation_id, causation_id: row.causation_id, actor: row.actor },
        create_time: from_micros(row.create_time),
        update_time: from_micros(row.update_time),
        version: row.version,
        attempts: reading.count("number of attempts", row.attempts)?,
        next_attempt_time: row.next_attempt_time.map(from_micros),
    })
}

/// The key, the columns in which a payment is not as it was read, and those that whoever takes it up writes under the same revision.
pub(super) fn changed(read: &Payment, payment: &Payment) -> Result<payment::ActiveModel, Error> {
    use payment::Column::{Attempts, Id, NextAttemptTime};
    let (old, mut row) = (payment_row(read)?, payment_row(payment)?);
    for column in payment::Column::iter() {
        if !matches!(column, Id | Attempts | NextAttemptTime) && old.get(column) == row.get(column) {
            row.not_set(column);
        }
    }
    Ok(row)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_microsecond)
}
