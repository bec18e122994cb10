//! Checks each case against payment's books and the provider's.

use mesh::{
    checkout::{CaseEntry, State},
    clock::from_micros,
};
use payment::domain::{
    machine::State as PaymentState,
    payment::Payment,
    refund::{Kind, RefundState},
};

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    for entry in &index.reading.cases {
        let (rule, fault) = match entry.state {
            State::Pending => (Rule::HoldsEnd, outlived(index, entry)),
            State::Confirmed => (Rule::PaidOnce, not_paid_once(index, entry)),
            State::CancelRequested => (Rule::CancellationsEnd, waits_for_refund(index, entry)),
            State::Cancelled if entry.was_confirmed => (Rule::RefundedOnce, not_refunded_once(index, entry)),
            State::Cancelled | State::Rejected | State::Expired => (Rule::NothingKept, kept(index, entry)),
        };
        verdict.note(rule, &entry.name, fault);
    }
    for payment in index.reading.payments.iter().filter(|payment| keeps(payment) > 0) {
        verdict.note(Rule::Orphan, payment.name(), orphaned(index, payment));
    }
}

fn outlived(index: &Index<'_>, entry: &CaseEntry) -> Option<String> {
    let expire_time = from_micros(entry.hold_expire_micros);
    index.is_late(expire_time).then(|| format!("it is PENDING, but its hold expired at {expire_time}"))
}

fn not_paid_once(index: &Index<'_>, entry: &CaseEntry) -> Option<String> {
    let payment = match paying(index, entry) {
        Ok(payment) => payment,
        Err(fault) => return Some(fault),
    };
    if payment.state() != PaymentState::Approved {
        return Some(format!("{} is {}, although the case is not cancelled", payment.name(), payment.state().name()));
    }
    bill_differs(entry, payment).or_else(|| not_charged_once(index, entry, payment, 0))
}

fn not_refunded_once(index: &Index<'_>, entry: &CaseEntry) -> Option<String> {
    let Some(due) = entry.refund_minor else {
        return Some("it is CANCELLED, but has no refund amount".to_owned());
    };
    if let Some(fault) = beyond_total(entry) {
        return Some(fault);
    }
    let Some(payment) = entry.payment.as_deref().and_then(|name| index.payment_named(name)) else {
        return Some("it was confirmed, but its payment does not exist".to_owned());
    };
    if let Some(other) = index.payments_of(&entry.name).iter().find(|other| other.id != payment.id && keeps(other) > 0)
    {
        return Some(format!("{} was also paid, and is not refunded", other.name()));
    }
    let refunds: Vec<i64> = index
        .refunds_of(payment.id, Kind::Refund)
        .filter(|refund| refund.state != RefundState::Failed)
        .map(|refund| refund.amount.minor())
        .collect();
    let expected: &[i64] = if due == 0 { &[] } else { &[due] };
    if refunds != expected {
        return Some(format!("its refund amount is {due} {}, but its refunds are {refunds:?}", entry.currency));
    }
    bill_differs(entry, payment).or_else(|| not_charged_once(index, entry, payment, due))
}

/// The one payment that keeps money for the case.
fn paying<'a>(index: &Index<'a>, entry: &CaseEntry) -> Result<&'a Payment, String> {
    // An orphaned payment that is being refunded does not keep money.
    let keeping: Vec<_> = index.payments_of(&entry.name).iter().filter(|payment| keeps(payment) > 0).collect();
    match keeping.as_slice() {
        [payment] => Ok(payment),
        [] => Err("it is CONFIRMED, but it has no approved payment".to_owned()),
        several => Err(format!("it is paid {} times", several.len())),
    }
}

/// Money that is kept for an unknown or undecided case. The rules above check money that is kept for a decided case.
fn orphaned(index: &Index<'_>, payment: &Payment) -> Option<String> {
    if !index.is_late(payment.update_time) {
        return None;
    }
    match index.case(&payment.case) {
        None => Some(format!("it keeps {} minor units for {}, which does not exist", keeps(payment), payment.case)),
        Some(entry) if entry.state == State::Pending => {
            let since = payment.update_time;
            Some(format!("it was paid by {since}, but {} is still PENDING", entry.name))
        }
        Some(_) => None,
    }
}

/// The amount that a payment keeps after all requested refunds, in minor units.
fn keeps(payment: &Payment) -> i64 {
    match &payment.bill {
        Some((bill, given)) if payment.state().is_paid() => {
            bill.amount.minor() - given.refunded.minor() - given.refunding.minor()
        }
        _ => 0,
    }
}

fn bill_differs(entry: &CaseEntry, payment: &Payment) -> Option<String> {
    if entry.payment.as_deref() != Some(&payment.name()) {
        return Some(format!("{} is not the payment that it requested", payment.name()));
    }
    let Some((bill, _)) = &payment.bill else {
        return Some(format!("{} has no amount", payment.name()));
    };
    if (bill.amount.minor(), bill.amount.code()) != (entry.total_minor, entry.currency) {
        return Some(format!("it costs {} {}, but {} was paid", entry.total_minor, entry.currency, bill.amount));
    }
    (bill.payer != entry.payer || bill.payee != entry.payee)
        .then(|| format!("{} paid {}, but {} should have paid {}", bill.payer, bill.payee, entry.payer, entry.payee))
}

/// Checks the provider's books: the price is charged once, and `due` of it is refunded.
fn not_charged_once(index: &Index<'_>, entry: &CaseEntry, payment: &Payment, due: i64) -> Option<String> {
    let Some(audited) = index.charge_of(payment.id) else {
        return Some(format!("the provider has no charge for {}", payment.name()));
    };
    let amount = audited.charge.amount;
    if audited.times_taken != 1 {
        return Some(format!("the provider took the money of {} {} times", payment.name(), audited.times_taken));
    }
    if (amount.minor(), amount.code()) != (entry.total_minor, entry.currency) {
        return Some(format!("it costs {} {}, but the provider took {amount}", entry.total_minor, entry.currency));
    }
    (audited.given_back_minor != due)
        .then(|| format!("the provider refunded {} {} instead of {due}", audited.given_back_minor, entry.currency))
}

/// No more is refunded than was paid.
fn beyond_total(entry: &CaseEntry) -> Option<String> {
    let CaseEntry { total_minor, currency, .. } = *entry;
    let due = entry.refund_minor.filter(|due| !(0..=total_minor).contains(due))?;
    Some(format!("its refund amount is {due} {currency}, but its total is {total_minor}"))
}

fn waits_for_refund(index: &Index<'_>, entry: &CaseEntry) -> Option<String> {
    if let Some(fault) = beyond_total(entry) {
        return Some(fault);
    }
    let payment = entry.payment.as_deref().and_then(|name| index.payment_named(name));
    // After a retry that succeeded, the payment owes the guest nothing; only the case has not handled the event yet.
    let owes = |payment: &&Payment| payment.bill.as_ref().is_some_and(|(_, given)| !given.owed.is_zero());
    let failed = payment.filter(owes).filter(|payment| !index.is_refunding(payment.id)).and_then(|payment| {
        index.refunds_of(payment.id, Kind::Refund).find(|refund| refund.state == RefundState::Failed)
    });
    if let Some(refund) = failed {
        let reason = refund.failure_reason.as_deref().unwrap_or("no reason given");
        return Some(format!("its refund failed for good ({reason}); retry it, or pay the guest in another way"));
    }
    let since = from_micros(entry.update_micros);
    index.is_late(since).then(|| format!("it has been waiting for its refund since {since}"))
}

/// Checks that money for a case that ended unpaid is refunded. Other rules check pending refunds.
fn kept(index: &Index<'_>, entry: &CaseEntry) -> Option<String> {
    index.payments_of(&entry.name).iter().find_map(|payment| {
        let net = index.net_charge_of(payment.id);
        let under_way = payment.state().is_unsettled()
            || payment.state() == PaymentState::Voided
            || index.is_refunding(payment.id)
            || !index.is_late(payment.update_time);
        (net != 0 && !under_way).then(|| {
            format!(
                "it is {}, but the provider keeps {net} {} of {}",
                entry.state.name(),
                entry.currency,
                payment.name()
            )
        })
    })
}
