//! Checks each payment against the provider's books.

use jiff::SignedDuration;
use payment::domain::{
    machine::State,
    payment::Payment,
    refund::{Kind, Refund, RefundState},
};
use provider::audit::AuditedCharge;
use uuid::Uuid;

use crate::audit::{
    findings::Verdict,
    index::{Index, net},
    rule::Rule,
};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    for payment in &index.reading.payments {
        let name = payment.name();
        verdict.note(Rule::PaymentsSettle, &name, unsettled(index, payment));
        verdict.note(Rule::ChargesKnown, &name, differs_from_provider(index, payment));
        if payment.state() == State::Voided {
            verdict.note(Rule::VoidedUncharged, &name, charged_though_voided(index, payment));
        }
    }
    for refund in &index.reading.refunds {
        let resource = format!("payments/{}/refunds/{}", refund.payment, refund.id);
        verdict.note(Rule::RefundsSettle, resource, undecided(index, refund));
    }
    for audited in &index.reading.charges {
        verdict.note(Rule::ChargesKnown, format!("charges/{}", audited.charge.id), stray(index, audited));
    }
}

fn unsettled(index: &Index<'_>, payment: &Payment) -> Option<String> {
    match payment.state() {
        // A payment that was never sent to the provider waits for another CreatePayment.
        State::Pending if payment.standing.calls > 0 => {
            let called = payment.call_time.unwrap_or(payment.create_time);
            index
                .is_late(called)
                .then(|| format!("the provider was called at {called}, and the outcome is still unknown"))
        }
        State::ActionRequired => {
            let expire_time = payment.action.as_ref()?.expire_time?;
            index.is_late(expire_time).then(|| format!("the payer's time to approve it ended at {expire_time}"))
        }
        _ => None,
    }
}

fn undecided(index: &Index<'_>, refund: &Refund) -> Option<String> {
    (refund.state == RefundState::Pending && index.is_late(refund.create_time))
        .then(|| format!("its refund of {} has been pending since {}", refund.amount, refund.create_time))
}

/// Compares the payment's state with the provider's.
fn differs_from_provider(index: &Index<'_>, payment: &Payment) -> Option<String> {
    let audited = index.charge_of(payment.id);
    let taken = audited.map_or(0, |audited| audited.times_taken);
    let state = payment.state();
    match state {
        State::Approved | State::PartlyRefunded | State::Refunded => {
            let (Some((bill, given)), Some(audited)) = (&payment.bill, audited) else {
                return Some(format!("it is {}, but the provider has no charge", state.name()));
            };
            if taken != 1 || audited.charge.amount != bill.amount {
                return Some(format!(
                    "it is {} with {}, but the provider took {} {taken} times",
                    state.name(),
                    bill.amount,
                    audited.charge.amount
                ));
            }
            // The provider may have made refunds whose answer payment has not received yet.
            let refunded = given.refunded.minor();
            let given_back = audited.given_back_minor;
            (!(refunded..=refunded + given.refunding.minor()).contains(&given_back))
                .then(|| format!("{} is refunded, but the provider refunded {given_back} minor units", given.refunded))
        }
        State::Declined => (taken > 0).then(|| "it is DECLINED, but the provider took the money".to_owned()),
        State::Pending | State::ActionRequired | State::Voided => {
            (taken > 1).then(|| format!("the provider took its money {taken} times"))
        }
    }
}

fn charged_though_voided(index: &Index<'_>, payment: &Payment) -> Option<String> {
    let audited = index.charge_of(payment.id)?;
    let net = net(audited);
    if net == 0 {
        return None;
    }
    let kept = format!("it is VOIDED, but the provider keeps {net} {}", audited.charge.amount.code());
    match index.refunds_of(payment.id, Kind::Reversal).next() {
        Some(reversal) => match reversal.state {
            RefundState::Pending => None,
            RefundState::Failed => {
                let reason = reversal.failure_reason.as_deref().unwrap_or("no reason given");
                Some(format!("{kept}; the reversal failed ({reason})"))
            }
            RefundState::Succeeded => Some(format!("{kept}, although the reversal succeeded")),
        },
        // Payment polls with pauses that double, so it finds a late charge after at most twice the charge's delay.
        None => {
            let charged = audited.charge.create_time;
            let late_by = charged.duration_since(payment.update_time).max(SignedDuration::ZERO);
            let overdue = index.reading.time.duration_since(charged) > late_by && index.is_late(charged);
            overdue.then_some(kept)
        }
    }
}

/// A charge without a payment.
fn stray(index: &Index<'_>, audited: &AuditedCharge) -> Option<String> {
    let charge = &audited.charge;
    let payment = Uuid::try_parse(&charge.id).ok().and_then(|id| index.payment(id));
    payment
        .is_none()
        .then(|| format!("the provider has a charge of {}, but payment has no payment for it", charge.amount))
}
