//! Converts the domain to the contracts.

use contracts::payment::v1::{self as proto, ledger_entry, payment, refund};
use mesh::{
    Error,
    clock::{from_micros, to_proto},
    fields::name,
    store::Reading,
};

use crate::{
    domain::{
        ledger::Side,
        machine::State,
        payment::Payment,
        refund::{Refund, RefundState},
    },
    store::LedgerRow,
};

/// A payment as a message.
pub fn payment(payment: &Payment) -> proto::Payment {
    let bill = payment.bill.as_ref().map(|(bill, _)| bill);
    let mut message = proto::Payment {
        name: payment.name(),
        case: payment.case.clone(),
        payer: bill.map(|bill| bill.payer.clone()).unwrap_or_default(),
        payee: bill.map(|bill| bill.payee.clone()).unwrap_or_default(),
        amount: bill.map(|bill| bill.amount.into()),
        earn_time: bill.and_then(|bill| bill.earn_time).map(to_proto),
        refunded_amount: payment.bill.as_ref().map(|(_, given)| given.refunded.into()),
        decline_reason: payment.decline_reason.clone().unwrap_or_default(),
        provider: payment.provider.clone(),
        action: payment.action.as_ref().map(Into::into),
        approve_time: payment.approve_time.map(to_proto),
        create_time: Some(to_proto(payment.create_time)),
        update_time: Some(to_proto(payment.update_time)),
        version: payment.version,
        ..proto::Payment::default()
    };
    if let Some((method, reference)) = &payment.charged {
        message.method = Some(payment::Method {
            kind: method.kind.clone(),
            brand: method.brand.clone(),
            last4: method.last4.clone(),
        });
        message.provider_reference.clone_from(reference);
    }
    message.set_state(match payment.state() {
        State::Pending => payment::State::Pending,
        State::ActionRequired => payment::State::ActionRequired,
        State::Approved => payment::State::Approved,
        State::Declined => payment::State::Declined,
        State::Voided => payment::State::Voided,
        State::PartlyRefunded => payment::State::PartlyRefunded,
        State::Refunded => payment::State::Refunded,
    });
    message
}

/// A refund as a message.
pub fn refund(refund: &Refund) -> proto::Refund {
    let mut message = proto::Refund {
        name: format!("{}/{}", name("payments", refund.payment), name("refunds", refund.id)),
        amount: Some(refund.amount.into()),
        failure_reason: refund.failure_reason.clone().unwrap_or_default(),
        create_time: Some(to_proto(refund.create_time)),
        update_time: Some(to_proto(refund.update_time)),
        version: refund.version,
        ..proto::Refund::default()
    };
    message.set_state(match refund.state {
        RefundState::Pending => refund::State::Pending,
        RefundState::Succeeded => refund::State::Succeeded,
        RefundState::Failed => refund::State::Failed,
    });
    message
}

/// A line of the ledger.
pub fn ledger_entry(row: LedgerRow) -> Result<proto::LedgerEntry, Error> {
    let reading = Reading("ledgerEntries", row.id);
    let amount = reading.money(row.amount_minor, &row.currency)?;
    let mut message = proto::LedgerEntry {
        name: name("ledgerEntries", row.id),
        transaction: row.transaction_id.to_string(),
        account: row.account,
        payment: name("payments", row.payment_id),
        amount: Some(amount.into()),
        earn_time: row.earn_time.map(|at| to_proto(from_micros(at))),
        create_time: Some(to_proto(from_micros(row.create_time))),
        ..proto::LedgerEntry::default()
    };
    message.set_side(match reading.text("side", &row.side)? {
        Side::Debit => ledger_entry::Side::Debit,
        Side::Credit => ledger_entry::Side::Credit,
    });
    Ok(message)
}
