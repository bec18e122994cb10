//! Rule A: one payment attempt at a time, and only a declined one makes room for the next.

use mesh_checkout::checkout::{Case, State, machine::Outcome, payment_name};

use crate::lifecycle::{Bench, Seller, answered, reason};

/// A hold, by its name.
async fn hold<S: Seller>() -> (Bench<S>, String) {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(None).await.record().name.clone();
    (bench, name)
}

pub async fn rule_a_a_declined_card_leaves_the_hold_for_another<S: Seller>() {
    let (bench, name) = hold::<S>().await;
    assert_eq!(reason(bench.pay(&name, "decline").await), "PAYMENT_DECLINED");
    assert_eq!(bench.free().await, 0);
    let answer = answered(bench.pay(&name, "approve").await);
    let paid = bench.read(&name).await;
    assert_eq!((paid.record().state(), answer), (State::Confirmed, bench.shown(&paid)));
    assert_eq!(paid.record().approved_payment(), Some(payment_name(&name, 2)));
    assert_eq!(bench.till.charges(), 1);
}

pub async fn rule_a_paying_again_while_the_outcome_is_unknown_asks_for_the_same_payment<S: Seller>() {
    let (bench, name) = hold::<S>().await;
    assert_eq!(reason(bench.pay(&name, "late").await), "PAYMENT_PENDING");
    answered(bench.pay(&name, "approve").await);
    assert_eq!(bench.state(&name).await, State::Confirmed);
    assert_eq!(bench.till.charges(), 1, "one payment, charged once");
}

pub async fn rule_a_an_attempt_that_was_not_sent_stays_open_until_the_hold_expires<S: Seller>() {
    let (bench, name) = hold::<S>().await;
    assert_eq!(reason(bench.pay(&name, "not_sent").await), "PAYMENT_UNAVAILABLE");
    // The hold stands long after payment would have been asked about.
    bench.wait(60);
    bench.sweep().await;
    let standing = bench.read(&name).await.record().standing;
    assert_eq!((standing.state, standing.attempt, standing.attempt_open), (State::Pending, 1, true));
    answered(bench.pay(&name, "approve").await);
    assert_eq!(bench.read(&name).await.record().standing.attempt, 1);
}

pub async fn rule_a_a_voided_attempt_ends_the_case<S: Seller>() {
    let (bench, name) = hold::<S>().await;
    assert_eq!(reason(bench.pay(&name, "open").await), "PAYMENT_PENDING");
    bench.hears(&name, 1, Outcome::Voided).await;
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Rejected, 1));
    assert_eq!(reason(bench.pay(&name, "approve").await), "ILLEGAL_TRANSITION");
    assert_eq!(bench.till.charges(), 0);
}

pub async fn rule_a_a_hold_whose_time_is_over_is_not_paid<S: Seller>() {
    let (bench, name) = hold::<S>().await;
    bench.wait(600);
    assert_eq!(reason(bench.pay(&name, "approve").await), "ILLEGAL_TRANSITION");
    assert_eq!(bench.till.asked(), 0);
}

pub async fn rule_a_a_payer_whose_card_was_declined_is_told_so_whatever_came_of_the_next_one<S: Seller>() {
    for (next, state) in [("approve", State::Confirmed), ("open", State::Pending)] {
        let (bench, name) = hold::<S>().await;
        let others = async {
            while bench.till.asked() == 0 {
                tokio::task::yield_now().await;
            }
            bench.hears(&name, 1, Outcome::Declined).await;
            let _answer = bench.pay(&name, next).await;
            bench.till.open_gate();
        };
        let (first, ()) = tokio::join!(bench.pay(&name, "gate_lost"), others);
        assert_eq!(bench.state(&name).await, state);
        assert_eq!(reason(first), "PAYMENT_DECLINED", "and then {next}");
    }
}

pub async fn a_payment_that_needs_the_payer_says_so_and_waits<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let pending = bench.sold(Some("action")).await;
    let (name, action) = (pending.record().name.clone(), pending.record().payment_action.clone());
    assert_eq!(pending.record().state(), State::Pending);
    assert_eq!(action.map(|action| action.uri).as_deref(), Some("https://bank.example/3ds"));
    bench.hears(&name, 1, Outcome::Approved).await;
    let confirmed = bench.read(&name).await;
    assert_eq!((confirmed.record().state(), confirmed.record().payment_action.clone()), (State::Confirmed, None));
}
