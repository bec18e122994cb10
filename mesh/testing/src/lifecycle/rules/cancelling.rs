//! Rule C: a cancellation is irrevocable, gives the units back at once, and is complete when the refund is.

use mesh_checkout::checkout::{Case, State, machine::Outcome, payments::Refunded};

use crate::lifecycle::{Bench, CaseOf, Moment, Seller, answered, caller, reason};

/// A paid case.
async fn paid<S: Seller>(units: u32) -> (Bench<S>, CaseOf<S>) {
    let bench = Bench::<S>::with_units(units).await;
    let case = bench.sold(Some("approve")).await;
    (bench, case)
}

pub async fn rule_c_cancelling_gives_the_unit_back_at_once_and_asks_for_the_promised_refund<S: Seller>() {
    let (bench, case) = paid::<S>(2).await;
    let name = &case.record().name;
    for again in [false, true] {
        let answer = answered(bench.cancel(name).await);
        let cancelled = bench.read(name).await;
        assert_eq!(answer, bench.shown(&cancelled));
        assert_eq!(cancelled.record().state(), State::CancelRequested);
        assert_eq!(cancelled.record().refund_amount, Some(case.record().total));
        assert_eq!(bench.free().await, 2, "a refund that is slow keeps no unit");
        assert_eq!(cancelled.record().version, case.record().version + 1, "repeating it is harmless: {again}");
    }
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelRequested"]);
}

pub async fn rule_c_a_hold_is_cancelled_at_once_without_asking_payment<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(None).await.record().name.clone();
    answered(bench.cancel(&name).await);
    assert_eq!((bench.state(&name).await, bench.free().await, bench.till.asked()), (State::Cancelled, 1, 0));
    assert_eq!(bench.told().await, ["Held", "Cancelled"]);
}

pub async fn rule_c_the_cancellation_is_complete_when_the_refund_is<S: Seller>() {
    let (bench, case) = paid::<S>(1).await;
    let name = &case.record().name;
    bench.cancel(name).await.unwrap();
    for (refunded, state) in [(Refunded::Pending, State::CancelRequested), (Refunded::Succeeded, State::Cancelled)] {
        *bench.till.refund.lock().unwrap() = refunded;
        bench.wait(60);
        bench.sweep().await;
        assert_eq!(bench.state(name).await, state);
    }
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelRequested", "Cancelled"]);
    assert_eq!(bench.free().await, 1);
}

pub async fn rule_c_a_refund_refused_for_good_is_shown_and_never_called_complete<S: Seller>() {
    let (bench, case) = paid::<S>(1).await;
    bench.cancel(&case.record().name).await.unwrap();
    *bench.till.refund.lock().unwrap() = Refunded::Failed("account_closed".to_owned());
    for _ in 0..3 {
        bench.wait(60);
        bench.sweep().await;
    }
    let stands = bench.read(&case.record().name).await;
    assert_eq!(stands.record().state(), State::CancelRequested);
    assert_eq!(stands.record().refund_failure_reason.as_deref(), Some("account_closed"));
}

pub async fn rule_c_cancelling_while_the_payment_is_under_way_ends_by_its_outcome<S: Seller>() {
    for (decided, state, told) in [
        (Outcome::Unknown, State::Cancelled, vec!["Held", "Cancelled"]),
        (Outcome::Approved, State::CancelRequested, vec!["Held", "Confirmed", "CancelRequested"]),
    ] {
        let bench = Bench::<S>::with_units(1).await;
        let name = bench.refused("open", "PAYMENT_PENDING").await;
        answered(bench.cancel(&name).await);
        assert_eq!((bench.state(&name).await, bench.free().await), (State::Pending, 0));
        bench.till.decide(&mesh_checkout::checkout::payment_name(&name, 1), decided);
        bench.sweep().await;
        assert_eq!((bench.state(&name).await, bench.free().await), (state, 1));
        assert_eq!(bench.told().await, told);
    }
}

pub async fn rule_c_a_case_that_ended_unpaid_cannot_be_cancelled<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("decline", "PAYMENT_DECLINED").await;
    assert_eq!(reason(bench.cancel(&name).await), "ILLEGAL_TRANSITION");
    assert_eq!((bench.state(&name).await, bench.free().await), (State::Rejected, 1));
}

pub async fn rule_c_cancelling_for_nothing_back_is_complete_without_payment<S: Seller>() {
    let (bench, case) = paid::<S>(1).await;
    let name = &case.record().name;
    if !bench.comes_to(name, Moment::NothingBack).await {
        return;
    }
    let asked = bench.till.asked();
    answered(bench.cancel(name).await);
    let cancelled = bench.read(name).await;
    assert_eq!(cancelled.record().state(), State::Cancelled);
    assert!(cancelled.record().refund_amount.is_some_and(|amount| amount.is_zero()));
    assert_eq!(bench.told().await, ["Held", "Confirmed", "Cancelled"]);
    assert_eq!((bench.free().await, bench.till.asked()), (1, asked));
}

pub async fn rule_c_when_the_time_for_it_is_over_the_payer_cannot_cancel<S: Seller>() {
    let (bench, case) = paid::<S>(1).await;
    if !bench.comes_to(&case.record().name, Moment::Closed).await {
        return;
    }
    assert_eq!(reason(bench.cancel(&case.record().name).await), "CANCELLATION_CLOSED");
    assert_eq!((bench.state(&case.record().name).await, bench.free().await), (State::Confirmed, 0));
}

pub async fn rule_c_a_payer_who_never_had_a_moment_for_cancelling_gets_everything_back<S: Seller>() {
    let (bench, case) = paid::<S>(2).await;
    if !bench.comes_to(&case.record().name, Moment::Closed).await {
        return;
    }
    let name = bench.refused("open", "PAYMENT_PENDING").await;
    bench.cancel(&name).await.unwrap();
    bench.hears(&name, 1, Outcome::Approved).await;
    let cancelled = bench.read(&name).await;
    assert_eq!(cancelled.record().state(), State::CancelRequested);
    assert_eq!(cancelled.record().refund_amount, Some(cancelled.record().total));
}

pub async fn rule_c_after_asking_to_cancel_a_retry_calls_payment_no_more<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let alice = caller("alice");
    let send = async |token| super::requests::send(&bench, &alice, "id-1", "a", token).await;
    assert_eq!(reason(send(Some("open")).await), "PAYMENT_PENDING");
    let name = bench.only().await.record().name.clone();
    bench.cancel(&name).await.unwrap();
    let asked = bench.till.asked();
    assert_eq!(reason(send(Some("approve")).await), "PAYMENT_PENDING");
    assert_eq!((bench.till.asked(), bench.till.charges()), (asked, 0));
    bench.sweep().await;
    let cancelled = bench.read(&name).await;
    assert_eq!((cancelled.record().state(), cancelled.record().refund_amount), (State::Cancelled, None));
}
