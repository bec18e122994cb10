//! Rule C, of others than the payer: by whom a case is cancelled, and what may be said of why.

use mesh_checkout::checkout::{Asks, By, Cancellation, Case, Cause, Closing, State};

use crate::lifecycle::{Bench, Moment, Seller, answered, reason};

pub async fn rule_c_whoever_but_the_payer_cancels_gives_everything_back<S: Seller>() {
    let bench = Bench::<S>::with_units(3).await;
    let mut paid = Vec::new();
    for _ in 0..3 {
        paid.push(bench.sold(Some("approve")).await);
    }
    let payee = paid[0].record().payee.clone();
    bench.comes_to(&paid[0].record().name, Moment::NothingBack).await;
    let all = [
        (Asks::User(&payee), By::Host, Cause::SoldOut),
        (Asks::ServiceCentre, By::Agent, Cause::Complaint),
        (Asks::System, By::System, Cause::ListingRemoved),
    ];
    for (case, (asks, party, cause)) in paid.iter().zip(all) {
        answered(bench.cancel_as(&case.record().name, asks, Some(cause)).await);
        let cancelled = bench.read(&case.record().name).await;
        assert_eq!(cancelled.record().refund_amount, Some(case.record().total), "{party:?}");
        assert_eq!(cancelled.record().cancellation, Some(Cancellation { party, cause }));
        assert_eq!(cancelled.record().cancel_reason.as_deref(), Some("plans changed"));
    }
    assert_eq!(bench.free().await, 3);
}

pub async fn rule_c_each_party_can_cancel_for_as_long_as_the_case_is_open_to_it<S: Seller>() {
    let bench = Bench::<S>::with_units(3).await;
    let mut paid = Vec::new();
    for _ in 0..3 {
        paid.push(bench.sold(Some("approve")).await);
    }
    if !bench.comes_to(&paid[0].record().name, Moment::Closed).await {
        return;
    }
    let payee = paid[0].record().payee.clone();
    let all = [(Asks::User(&payee), By::Host), (Asks::ServiceCentre, By::Agent), (Asks::System, By::System)];
    for (case, (asks, party)) in paid.iter().zip(all) {
        let outcome = bench.cancel_as(&case.record().name, asks, None).await;
        let stands = bench.read(&case.record().name).await;
        if case.closing(party, bench.clock.now()) == Closing::Open {
            answered(outcome);
            assert_eq!(stands.record().refund_amount, Some(case.record().total), "{party:?}");
        } else {
            assert_eq!(reason(outcome), "CANCELLATION_CLOSED");
            assert_eq!(stands, *case, "{party:?}");
        }
    }
}

pub async fn rule_c_of_a_payer_who_did_not_come_others_say_so_and_the_policy_says_what_comes_back<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let case = bench.sold(Some("approve")).await;
    let (name, payee) = (&case.record().name, case.record().payee.clone());
    let (by_payee, no_show) = (Asks::User(&payee), Some(Cause::NoShow));
    assert_eq!(reason(bench.cancel_as(name, by_payee, no_show).await), "INVALID_FIELDS", "the payer may still come");
    if !bench.comes_to(name, Moment::NoShow).await {
        return;
    }
    let by_payer = bench.cancel_as(name, Asks::User("users/alice"), no_show).await;
    assert_eq!(reason(by_payer), "INVALID_FIELDS", "nobody says it of themselves");
    let refund = case.refund_at(bench.clock.now());
    answered(bench.cancel_as(name, by_payee, no_show).await);
    let ended = bench.read(name).await;
    assert_eq!(ended.record().refund_amount, Some(refund));
    let complete = if refund.is_zero() { State::Cancelled } else { State::CancelRequested };
    assert_eq!((ended.record().state(), bench.free().await), (complete, 1));
}

pub async fn rule_c_only_the_system_says_that_what_was_sold_is_gone<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let case = bench.sold(Some("approve")).await;
    let (name, payee) = (&case.record().name, case.record().payee.clone());
    for asks in [Asks::User("users/alice"), Asks::User(&payee), Asks::ServiceCentre] {
        let said = bench.cancel_as(name, asks, Some(Cause::ListingRemoved)).await;
        assert_eq!(reason(said), "INVALID_FIELDS", "{asks:?}");
    }
    answered(bench.cancel_as(name, Asks::System, None).await);
    let expected = Cancellation { party: By::System, cause: Cause::ListingRemoved };
    assert_eq!(bench.read(name).await.record().cancellation, Some(expected));
}
