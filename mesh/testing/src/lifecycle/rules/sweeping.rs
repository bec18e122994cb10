//! Rules S and L: the sweeper asks payment about what is not settled, and obeys. Two sweepers do not do it twice.

use std::sync::atomic::Ordering;

use futures::future::join_all;
use mesh_checkout::checkout::{Case, State, machine::Outcome, payment_name, payments::Refunded};
use servers::engine::Engine;

use crate::lifecycle::{Bench, Seller, reason};

pub async fn rule_s_the_sweeper_finds_an_approval_that_nobody_heard_of<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("late", "PAYMENT_PENDING").await;
    assert_eq!(bench.sweep().await, 0, "not before payment's own deadline is over");
    bench.wait(8);
    bench.sweep().await;
    assert_eq!(bench.state(&name).await, State::Confirmed);
}

pub async fn rule_s_a_payment_that_is_not_there_is_voided_before_the_units_go<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("lost", "PAYMENT_PENDING").await;
    bench.wait(8);
    bench.sweep().await;
    assert_eq!(bench.state(&name).await, State::Rejected);
    // The call that was lost finds a tombstone.
    assert_eq!(bench.till.knows(&payment_name(&name, 1)), Some(Outcome::Voided));
    assert_eq!(bench.free().await, 1);
}

pub async fn rule_s_past_the_expiry_the_sweeper_voids_and_obeys<S: Seller>() {
    for (decided, state, free) in [(Outcome::Unknown, State::Expired, 1), (Outcome::Approved, State::Confirmed, 0)] {
        let bench = Bench::<S>::with_units(1).await;
        let name = bench.sold(None).await.record().name.clone();
        assert_eq!(reason(bench.pay(&name, "open").await), "PAYMENT_PENDING");
        bench.wait(601);
        bench.till.decide(&payment_name(&name, 1), decided);
        bench.sweep().await;
        assert_eq!((bench.state(&name).await, bench.free().await), (state, free));
        assert_eq!(bench.till.knows(&payment_name(&name, 1)) == Some(Outcome::Voided), state == State::Expired);
    }
}

pub async fn rule_s_a_case_that_makes_progress_is_looked_at_as_often_as_a_new_one<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(None).await.record().name.clone();
    let sweeps = async || bench.read(&name).await.record().sweeps;
    let sweep_in_vain = async || {
        for _ in 0..3 {
            bench.wait(21);
            assert_eq!(bench.sweep().await, 1);
        }
        assert_eq!(sweeps().await, 3);
    };
    for call in 1..=2 {
        assert_eq!(reason(bench.pay(&name, "open").await), "PAYMENT_PENDING");
        assert_eq!(sweeps().await, 0, "call {call} of payment");
        sweep_in_vain().await;
    }
    bench.hears(&name, 1, Outcome::Declined).await;
    assert_eq!(sweeps().await, 0, "the attempt has ended, and the hold stands");
    bench.pay(&name, "approve").await.unwrap();
    bench.cancel(&name).await.unwrap();
    assert_eq!((bench.state(&name).await, sweeps().await), (State::CancelRequested, 0));
    sweep_in_vain().await;
    *bench.till.refund.lock().unwrap() = Refunded::Succeeded;
    bench.wait(21);
    bench.sweep().await;
    assert_eq!((bench.state(&name).await, sweeps().await), (State::Cancelled, 0));
}

pub async fn rule_s_an_undecided_payment_is_not_voided_before_the_expiry<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("open", "PAYMENT_PENDING").await;
    for _ in 0..5 {
        bench.wait(61);
        bench.sweep().await;
    }
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Pending, 0));
}

pub async fn rule_s_with_payment_out_of_reach_the_hold_stays_even_past_its_expiry<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("lost", "PAYMENT_PENDING").await;
    bench.till.unreachable.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        bench.wait(700);
        bench.sweep().await;
    }
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Pending, 0));
    bench.till.unreachable.store(false, Ordering::SeqCst);
    bench.wait(700);
    bench.sweep().await;
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Expired, 1));
}

pub async fn rule_s_an_unpaid_hold_expires_by_itself_without_asking_anybody<S: Seller>() {
    let bench = Bench::<S>::with_units(2).await;
    let name = bench.sold(None).await.record().name.clone();
    bench.wait(599);
    bench.sweep().await;
    assert_eq!(bench.state(&name).await, State::Pending);
    bench.wait(1);
    bench.sweep().await;
    bench.sweep().await;
    assert_eq!(bench.state(&name).await, State::Expired);
    assert_eq!((bench.free().await, bench.till.asked()), (2, 0));
    assert_eq!(bench.told().await, ["Held", "Expired"], "released exactly once");
}

pub async fn rule_s_a_case_that_cannot_be_read_holds_up_no_other_and_is_no_reason_to_hurry<S: Seller>() {
    let bench = Bench::<S>::with_units(100).await;
    for _ in 0..70 {
        bench.sold(None).await;
    }
    // More of them than are taken up at a time, and the longest due.
    bench.tamper(&format!("UPDATE {} SET state = 'NOBODY_KNOWS'", bench.table())).await;
    bench.wait(1);
    let healthy = bench.sold(None).await.record().name.clone();
    bench.wait(601);
    assert_eq!(bench.sweep().await, 64, "all that are taken up at a time");
    assert_eq!(bench.sweep().await, 7, "the rest of them, and the case behind them");
    assert_eq!(bench.state(&healthy).await, State::Expired);
    assert_eq!(bench.sweep().await, 0, "none is looked at again at once");
}

pub async fn rule_s_a_database_that_takes_no_writes_is_not_asked_without_a_pause<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(None).await.record().name.clone();
    bench.wait(601);
    let engine = Engine::chosen().unwrap();
    bench.tamper(&engine.to_refuse("UPDATE", bench.table())).await;
    assert_eq!(bench.sweep().await, 0, "nothing was done");
    bench.tamper(&engine.to_refuse_no_more(bench.table())).await;
    assert_eq!(bench.sweep().await, 1);
    assert_eq!(bench.state(&name).await, State::Expired);
}

pub async fn rule_l_of_ten_sweepers_at_once_one_asks_about_a_case<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("late", "PAYMENT_PENDING").await;
    bench.wait(8);
    let asked = bench.till.asked();
    let looked: usize = join_all((0..10).map(|_| bench.sweep())).await.into_iter().sum();
    assert_eq!((looked, bench.till.asked() - asked), (1, 1));
    assert_eq!(bench.state(&name).await, State::Confirmed);
}

pub async fn rule_l_two_sweepers_at_once_settle_a_case_once<S: Seller>() {
    let bench = Bench::<S>::with_units(2).await;
    bench.sold(None).await;
    bench.wait(601);
    let other = bench.replica().await;
    let (first, second) = tokio::join!(bench.checkout.sweep_once(), other.sweep_once());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(bench.told().await, ["Held", "Expired"]);
    assert_eq!(bench.free().await, 2);
}
