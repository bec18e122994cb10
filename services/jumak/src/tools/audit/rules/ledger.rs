//! Checks the ledger's balances of each payment against the payment itself and against the provider's balance.

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

/// A payment, an account and a currency.
type BalanceKey<'a> = (Uuid, String, &'a str);

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    for transaction in &index.reading.unbalanced {
        verdict.note(Rule::Ledger, format!("transactions/{transaction}"), Some("it does not balance".to_owned()));
    }
    // The actual and the expected balance: debits less credits, in minor units.
    let mut balances: BTreeMap<BalanceKey<'_>, (i64, i64)> = BTreeMap::new();
    for balance in &index.reading.balances {
        let key = (balance.payment_id, balance.account.clone(), balance.currency.as_str());
        balances.entry(key).or_default().0 += balance.debit_minor;
    }
    for (key, minor) in expected(index) {
        balances.entry(key).or_default().1 += minor;
    }
    for ((payment, account, currency), (booked, expected)) in balances {
        let fault =
            (booked != expected).then(|| format!("its balance is {booked} {currency}, but {expected} is expected"));
        verdict.note(Rule::Ledger, format!("accounts/{account} of payments/{payment}"), fault);
    }
}

/// The expected balances.
fn expected<'a>(index: &Index<'a>) -> BTreeMap<BalanceKey<'a>, i64> {
    let mut sums = BTreeMap::new();
    for payment in &index.reading.payments {
        let Some((bill, given)) = &payment.bill else { continue };
        let mut add = |account: Account, minor: i64| {
            *sums.entry((payment.id, account.name(), bill.amount.code())).or_default() += minor;
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
        // A charge without a payment counts too.
        let id = Uuid::try_parse(&audited.charge.id).unwrap_or_default();
        if index.payment(id).is_none_or(|payment| !is_under_way(index, payment)) {
            let key = (id, Account::Provider.name(), audited.charge.amount.code());
            *sums.entry(key).or_default() += net(audited);
        }
    }
    sums
}

/// Whether the provider's books may be ahead of payment's.
fn is_under_way(index: &Index<'_>, payment: &Payment) -> bool {
    let may_be_charged_late = payment.state() == State::Voided && payment.standing.calls > 0;
    payment.state().is_unsettled() || may_be_charged_late || index.is_refunding(payment.id)
}

/// The provider's balance according to payment.
fn booked(index: &Index<'_>, payment: &Payment) -> i64 {
    match &payment.bill {
        Some((bill, given)) if payment.state().is_paid() => bill.amount.minor() - given.refunded.minor(),
        _ => unreversed(index, payment.id),
    }
}

/// Charges of a voided payment that are not refunded yet.
fn unreversed(index: &Index<'_>, payment: Uuid) -> i64 {
    index
        .refunds_of(payment, Kind::Reversal)
        .filter(|reversal| reversal.state != RefundState::Succeeded)
        .map(|reversal| reversal.amount.minor())
        .sum()
}
