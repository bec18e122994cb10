//! The books under any sequence of what can happen to payments.

use std::collections::HashMap;

use jiff::SignedDuration;
use mesh::Actor;
use proptest::prelude::*;
use uuid::Uuid;

use super::{charged, declined, money, now};
use crate::domain::{
    ledger::{self, Account, Entry, Movement, NoTransaction, Side},
    payment::{Bill, Change, Payment},
    provider::RefundOutcome,
    refund::{Kind, Refund, RefundState},
};

#[derive(Clone, Debug)]
enum Op {
    Create { amount: i64 },
    Charge { payment: usize },
    Decline { payment: usize },
    Void { payment: usize },
    AskRefund { payment: usize, amount: Option<i64> },
    Retry { refund: usize },
    Settle { refund: usize, succeeds: bool },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let payment = 0_usize..4;
    let op = prop_oneof![
        (1_i64..1_000).prop_map(|amount| Op::Create { amount }),
        payment.clone().prop_map(|payment| Op::Charge { payment }),
        payment.clone().prop_map(|payment| Op::Charge { payment }),
        payment.clone().prop_map(|payment| Op::Decline { payment }),
        payment.clone().prop_map(|payment| Op::Void { payment }),
        (payment, prop::option::of(0_i64..700)).prop_map(|(payment, amount)| Op::AskRefund { payment, amount }),
        (0_usize..6).prop_map(|refund| Op::Retry { refund }),
        (0_usize..6, any::<bool>()).prop_map(|(refund, succeeds)| Op::Settle { refund, succeeds }),
        (0_usize..6, any::<bool>()).prop_map(|(refund, succeeds)| Op::Settle { refund, succeeds }),
    ];
    prop::collection::vec(op, 1..60)
}

/// Payments, refunds and the ledger that came of them, with the provider's own count beside.
#[derive(Default)]
struct Books {
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
    entries: Vec<Entry>,
    at_provider: i64,
    charged: Vec<usize>,
}

impl Books {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { amount } => {
                let id = Uuid::from_u128(self.payments.len() as u128);
                let payee = format!("users/host-{}", self.payments.len() % 2);
                let bill = Bill { payer: "users/g".to_owned(), payee, amount: money(*amount), earn_time: None };
                self.payments.push(Payment::begin(id, "reservations/1".to_owned(), bill, "p", String::new(), now()));
            }
            Op::Charge { payment } => self.hear(*payment, true),
            Op::Decline { payment } => self.hear(*payment, false),
            Op::Void { payment } => {
                if let Some(found) = self.payments.get_mut(*payment) {
                    let change = found.void(now());
                    self.write(change.unwrap_or_default());
                }
            }
            Op::AskRefund { payment, amount } => {
                let id = Uuid::from_u128(1_000 + self.refunds.len() as u128);
                let Some(found) = self.payments.get_mut(*payment) else { return };
                let actor = Actor::context("payment", "");
                if let Ok((refund, movement)) = found.ask_refund(id, amount.map(money), actor, now()) {
                    self.write(Change { movement, refund: Some(refund), fact: None });
                }
            }
            Op::Retry { refund } => {
                let id = Uuid::from_u128(1_000 + self.refunds.len() as u128);
                let Some(failed) = self.refunds.get(*refund) else { return };
                let at = self.payments.iter_mut().find(|payment| payment.id == failed.payment).expect("its payment");
                let actor = Actor::context("payment", "");
                if let Ok((refund, movement)) = at.retry_refund(failed, id, actor, now()) {
                    assert_eq!(movement, None, "the payee has given it already");
                    self.write(Change { movement, refund: Some(refund), fact: None });
                }
            }
            Op::Settle { refund, succeeds } => {
                let Some(found) = self.refunds.get_mut(*refund) else { return };
                let at = self.payments.iter_mut().find(|payment| payment.id == found.payment).expect("its payment");
                let outcome = if *succeeds {
                    RefundOutcome::Succeeded
                } else {
                    RefundOutcome::Failed { reason: "NO".to_owned() }
                };
                if let Some(change) = at.settle_refund(found, &outcome, now()).expect("sums") {
                    if *succeeds {
                        self.at_provider -= found.amount.minor();
                    }
                    self.write(change);
                }
            }
        }
    }

    /// The provider decides once; its word may be heard any number of times.
    fn hear(&mut self, at: usize, charges: bool) {
        let Some(payment) = self.payments.get_mut(at) else { return };
        let decided = payment.state().is_paid() || self.charged.contains(&at);
        let refused = payment.state() == crate::domain::machine::State::Declined || payment.standing.calls == 0;
        if (decided && !charges) || (refused && charges && !decided) {
            return;
        }
        if charges && !decided {
            self.charged.push(at);
            self.at_provider += payment.bill.as_ref().expect("a bill").0.amount.minor();
        }
        let outcome = if charges { charged() } else { declined() };
        let change = payment.record(&outcome, false, now()).expect("no contradiction");
        self.write(change.unwrap_or_default());
    }

    fn write(&mut self, change: Change) {
        if let Some(movement) = change.movement {
            let entries = movement.entries();
            assert_eq!(ledger::check(&entries), Ok(()), "{movement:?}");
            self.entries.extend(entries);
        }
        self.refunds.extend(change.refund);
    }

    fn debit(&self, account: &Account) -> i64 {
        let of = self.entries.iter().filter(|entry| entry.account == *account);
        of.map(|entry| if entry.side == Side::Debit { entry.amount.minor() } else { -entry.amount.minor() }).sum()
    }

    fn check(&self) {
        let mut payable: HashMap<Account, i64> = HashMap::new();
        let mut to_give_back = 0;
        for payment in &self.payments {
            let (bill, given) = payment.bill.as_ref().expect("a bill");
            let (amount, back) = (bill.amount.minor(), given.refunded.minor());
            let open = given.refunding.minor() + given.owed.minor();
            assert!(back + given.refunding.minor() <= amount, "refunded beyond what was paid: {payment:?}");
            to_give_back += open;
            if payment.state().is_paid() {
                *payable.entry(Account::Payable(bill.payee.clone())).or_default() += amount - back - open;
            }
        }
        let reversing = self.refunds.iter().filter(|refund| refund.kind == Kind::Reversal);
        let reversing = reversing.filter(|refund| refund.state != RefundState::Succeeded);
        to_give_back += reversing.map(|refund| refund.amount.minor()).sum::<i64>();

        assert_eq!(self.debit(&Account::Provider), self.at_provider, "what the provider holds");
        assert_eq!(-self.debit(&Account::GuestClearing), to_give_back, "what payers have to get back");
        for (account, earned) in payable {
            assert_eq!(-self.debit(&account), earned, "{account:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_ledger_says_what_every_party_has_after_whatever_happens(ops in ops()) {
        let mut books = Books::default();
        for op in &ops {
            books.apply(op);
            books.check();
        }
    }

    #[test]
    fn nothing_is_left_to_clear_once_every_refund_has_succeeded(ops in ops()) {
        let mut books = Books::default();
        for op in ops.iter().filter(|op| !matches!(op, Op::Settle { succeeds: false, .. })) {
            books.apply(op);
        }
        for refund in 0..books.refunds.len() {
            books.apply(&Op::Settle { refund, succeeds: true });
        }
        prop_assert_eq!(books.debit(&Account::GuestClearing), 0);
    }
}

#[test]
fn what_does_not_balance_is_refused() {
    let [debit, credit] = Movement::GivenBack { amount: money(10) }.entries();
    let other = Entry { amount: money(11), ..credit.clone() };
    assert_eq!(
        ledger::check(&[debit.clone(), other]),
        Err(NoTransaction::Unbalanced { currency: "KRW", difference: -1 })
    );
    let dollars = Entry { amount: mesh::money::Money::new(10, "USD").expect("money"), ..credit };
    assert!(ledger::check(&[debit, dollars]).is_err(), "two currencies do not balance each other");
    assert_eq!(ledger::check(&Movement::GivenBack { amount: money(0) }.entries()), Err(NoTransaction::Zero));
}

#[test]
fn a_host_earns_from_the_check_out_on_and_a_refund_takes_it_back_from_there() {
    let earn_time = now() + SignedDuration::from_hours(48);
    let bill = Bill { earn_time: Some(earn_time), ..super::bill(100) };
    let mut payment = Payment::begin(Uuid::nil(), String::new(), bill, "p", String::new(), now());
    let approved = payment.record(&charged(), false, now()).expect("recorded").expect("approved").movement;
    let actor = Actor::context("payment", "");
    let (_, asked) = payment.ask_refund(Uuid::nil(), Some(money(40)), actor, now()).expect("a refund");
    for movement in [approved, asked] {
        let entries = movement.expect("money moves").entries();
        let payable = entries.iter().find(|entry| entry.account == Account::Payable(super::HOST.to_owned()));
        assert_eq!(payable.expect("the host's entry").earn_time, Some(earn_time));
    }
}
