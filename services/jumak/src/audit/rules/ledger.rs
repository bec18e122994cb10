//! The ledger's accounts against the payments that they sum up, and against what the provider holds.

use std::collections::BTreeMap;

use payment::domain::{
    ledger::Account,
    machine::State,
    payment::Payment,
    refund::{Kind, RefundState},
};
use uuid::Uuid;

use crate::audit::{
    findings::Verdict,
    index::{Index, net},
    rule::Rule,
};

/// Debits less credits, in minor units, by account and currency.
type Balances<'a> = BTreeMap<(String, &'a str), i64>;

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    for transaction in &index.reading.unbalanced {
        verdict.note(Rule::Ledger, format!("transactions/{transaction}"), Some("it does not balance".to_owned()));
    }
    // What stands on each account, and what should.
    let mut accounts: BTreeMap<(String, &str), (i64, i64)> = BTreeMap::new();
    for balance in &index.reading.balances {
        accounts.entry((balance.account.clone(), &balance.currency)).or_default().0 += balance.debit_minor;
    }
    for (account, minor) in expected(index) {
        accounts.entry(account).or_default().1 += minor;
    }
    for ((account, currency), (booked, expected)) in accounts {
        let fault = (booked != expected)
            .then(|| format!("it stands at {booked} {currency}, and what it sums up comes to {expected}"));
        verdict.note(Rule::Ledger, format!("accounts/{account}/{currency}"), fault);
    }
}

/// What the accounts should stand at.
fn expected<'a>(index: &Index<'a>) -> Balances<'a> {
    let mut sums = Balances::new();
    for payment in &index.reading.payments {
        let Some((bill, given)) = &payment.bill else { continue };
        let mut add = |account: Account, minor: i64| {
            *sums.entry((account.name(), bill.amount.code())).or_default() += minor;
        };
        if payment.state().is_paid() {
            let to_come_back = given.refunding.minor() + given.owed.minor();
            let earned = bill.amount.minor() - given.refunded.minor() - to_come_back;
            add(Account::Payable(bill.payee.clone()), -earned);
            add(Account::GuestClearing, -to_come_back);
        }
        add(Account::GuestClearing, -unreversed(index, payment.id));
        if is_under_way(index, payment) {
            add(Account::Provider, booked(index, payment));
        }
    }
    for audited in &index.reading.charges {
        let payment = Uuid::try_parse(&audited.charge.id).ok().and_then(|id| index.payment(id));
        if payment.is_none_or(|payment| !is_under_way(index, payment)) {
            let account = (Account::Provider.name(), audited.charge.amount.code());
            *sums.entry(account).or_default() += net(audited);
        }
    }
    sums
}

/// Whether the provider may know more than has been written down.
fn is_under_way(index: &Index<'_>, payment: &Payment) -> bool {
    let may_be_charged_late = payment.state() == State::Voided && payment.standing.calls > 0;
    payment.state().is_unsettled() || may_be_charged_late || index.is_refunding(payment.id)
}

/// What payment itself has written down that the provider has of it.
fn booked(index: &Index<'_>, payment: &Payment) -> i64 {
    match &payment.bill {
        Some((bill, given)) if payment.state().is_paid() => bill.amount.minor() - given.refunded.minor(),
        _ => unreversed(index, payment.id),
    }
}

/// What a voided payment was charged and has not been given back yet.
fn unreversed(index: &Index<'_>, payment: Uuid) -> i64 {
    index
        .refunds_of(payment, Kind::Reversal)
        .filter(|reversal| reversal.state != RefundState::Succeeded)
        .map(|reversal| reversal.amount.minor())
        .sum()
}
