//! Rules T, N, D and O: what an outcome leads to, and what only looks like one.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use mesh_checkout::checkout::{Case, State, machine::Outcome};
use mesh_foundation::error::Error;

use crate::lifecycle::{Bench, Moment, Seller, answered, caller, reason};

pub async fn rule_t_an_outcome_that_comes_twenty_times_is_one_transition<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("open", "PAYMENT_PENDING").await;
    join_all((0..20).map(|_| bench.hears(&name, 1, Outcome::Approved))).await;
    assert_eq!(bench.state(&name).await, State::Confirmed);
    assert_eq!(bench.told().await, ["Held", "Confirmed"]);
    assert_eq!(bench.free().await, 0);
}

pub async fn rule_t_units_are_given_back_once_however_often_it_is_told_that_a_case_has_ended<S: Seller>() {
    let bench = Bench::<S>::with_units(2).await;
    let (name, _other) = (bench.refused("open", "PAYMENT_PENDING").await, bench.sold(Some("approve")).await);
    join_all((0..20).map(|_| bench.hears(&name, 1, Outcome::Declined))).await;
    assert_eq!(bench.state(&name).await, State::Rejected);
    assert_eq!(bench.free().await, 1, "the other one keeps its unit");
    assert_eq!(bench.told().await, ["Held", "Held", "Confirmed", "Rejected"]);
}

pub async fn rule_t_units_are_given_back_in_a_transaction_that_settles_nothing_else<S: Seller>() {
    let bench = Bench::<S>::with_units(2).await;
    let (ends, stays) =
        (bench.refused("open", "PAYMENT_PENDING").await, bench.refused("open", "PAYMENT_PENDING").await);
    let refused = bench.hears_with_others(&ends, 1, Outcome::Declined).await;
    assert!(matches!(refused, Err(Error::Apart)), "{refused:?}");
    assert_eq!((bench.state(&ends).await, bench.free().await), (State::Pending, 0));
    // What gives nothing back needs none of its own.
    bench.hears_with_others(&stays, 1, Outcome::Approved).await.unwrap();
    bench.hears(&ends, 1, Outcome::Declined).await;
    assert_eq!((bench.state(&ends).await, bench.state(&stays).await), (State::Rejected, State::Confirmed));
    assert_eq!(bench.free().await, 1);
}

pub async fn rule_t_of_two_contrary_outcomes_the_first_stands_and_the_units_agree<S: Seller>() {
    for (outcomes, state, free) in [
        ([Outcome::Declined, Outcome::Approved], State::Rejected, 1),
        ([Outcome::Approved, Outcome::Declined], State::Confirmed, 0),
    ] {
        let bench = Bench::<S>::with_units(1).await;
        let name = bench.refused("open", "PAYMENT_PENDING").await;
        for outcome in outcomes {
            bench.hears(&name, 1, outcome).await;
        }
        assert_eq!((bench.state(&name).await, bench.free().await), (state, free));
    }
}

pub async fn rule_n_an_unknown_outcome_keeps_the_units<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("lost", "PAYMENT_PENDING").await;
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Pending, 0));
}

pub async fn rule_n_only_what_was_surely_not_sent_gives_the_units_back<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("not_sent", "PAYMENT_UNAVAILABLE").await;
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Rejected, 1));
}

pub async fn rule_n_an_open_circuit_takes_no_hold<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    bench.till.circuit_open.store(true, Ordering::SeqCst);
    bench.refused("approve", "PAYMENT_UNAVAILABLE").await;
    assert_eq!((bench.count().await, bench.till.asked()), (0, 0));
}

pub async fn rule_d_a_caller_who_hangs_up_changes_nothing<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let payer = caller("alice");
    let mut call = Box::pin(bench.begin(&payer, Some("gate"), None));
    while bench.till.asked() == 0 {
        // The caller hangs up as soon as payment has been asked.
        let _ = futures::poll!(&mut call);
        tokio::task::yield_now().await;
    }
    drop(call);
    bench.till.open_gate();
    bench.background.drain(Duration::from_secs(10)).await;
    assert_eq!(bench.only().await.record().state(), State::Confirmed);
    assert_eq!(bench.till.charges(), 1);
}

pub async fn rule_o_money_for_a_case_that_has_ended_is_asked_back_once<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("not_sent", "PAYMENT_UNAVAILABLE").await;
    for _ in 0..3 {
        bench.hears(&name, 1, Outcome::Approved).await;
    }
    assert_eq!(bench.state(&name).await, State::Rejected);
    assert_eq!(bench.told().await, ["Held", "Rejected", "RefundRequested"]);
    assert_eq!(bench.free().await, 1);
}

pub async fn rule_o_money_of_an_earlier_attempt_is_asked_back_and_the_case_stays_paid<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(None).await.record().name.clone();
    assert_eq!(reason(bench.pay(&name, "decline").await), "PAYMENT_DECLINED");
    answered(bench.pay(&name, "approve").await);
    for _ in 0..2 {
        bench.hears(&name, 1, Outcome::Approved).await;
    }
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Confirmed, 0));
    assert_eq!(bench.told().await, ["Held", "Confirmed", "RefundRequested"]);
}

pub async fn rule_o_the_approval_that_paid_for_a_case_is_not_given_back_however_late_it_is_heard<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(Some("approve")).await.record().name.clone();
    // If nothing comes back, the cancellation is complete at once.
    let ends = bench.comes_to(&name, Moment::NothingBack).await;
    bench.cancel(&name).await.unwrap();
    for _ in 0..3 {
        bench.hears(&name, 1, Outcome::Approved).await;
    }
    let cancelled = if ends { "Cancelled" } else { "CancelRequested" };
    assert_eq!(bench.told().await, ["Held", "Confirmed", cancelled]);
}
