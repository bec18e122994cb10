//! Rule R: the same request id replays the first answer; another request is refused.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use mesh_checkout::checkout::{Asks, Cancels, Case, Scope, State, machine::Outcome, payments::Refunded};
use mesh_foundation::{call::Caller, error::Error};
use mesh_store::requests::{Answer, Request};

use crate::lifecycle::{Bench, Seller, answered, caller, reason};

/// A request with some body under an id.
pub(super) fn under(caller: &Caller, id: &str, body: &str) -> Option<Request> {
    Request::new(caller, "Create", id, &body.to_owned())
}

/// As a use case does it.
pub(super) async fn send<S: Seller>(
    bench: &Bench<S>,
    caller: &Caller,
    id: &str,
    body: &str,
    token: Option<&str>,
) -> Result<Answer, Error> {
    bench.begin(caller, token, under(caller, id, body)).await.1
}

/// The same with the usual id and body.
async fn again<S: Seller>(bench: &Bench<S>, token: &str) -> Result<Answer, Error> {
    send(bench, &caller("alice"), "id-1", "a", Some(token)).await
}

pub async fn rule_r_the_same_request_in_sequence_is_one_case<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    let first = answered(again(&bench, "approve").await);
    let second = answered(again(&bench, "approve").await);
    assert_eq!(first, second);
    assert_eq!((bench.count().await, bench.till.charges(), bench.free().await), (1, 1, 4));
}

pub async fn rule_r_the_same_request_in_parallel_is_one_case<S: Seller>() {
    let bench = Bench::<S>::with_units(50).await;
    let answers = join_all((0..20).map(|_| again(&bench, "approve"))).await;
    let mut answers: Vec<_> = answers.into_iter().map(answered).collect();
    answers.dedup();
    assert_eq!(answers, [bench.shown(&bench.only().await)]);
    assert_eq!((bench.till.charges(), bench.free().await), (1, 49));
}

pub async fn rule_r_another_request_under_the_same_id_is_refused<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    answered(again(&bench, "approve").await);
    let other = send(&bench, &caller("alice"), "id-1", "b", Some("approve")).await;
    assert_eq!(reason(other), "REQUEST_ID_REUSED");
    assert_eq!(bench.count().await, 1);
}

pub async fn rule_r_another_principal_has_ids_of_their_own<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    let alices = answered(again(&bench, "approve").await);
    let bobs = answered(send(&bench, &caller("bob"), "id-1", "a", Some("approve")).await);
    assert_ne!(alices, bobs);
    assert_eq!(bench.count().await, 2);
}

pub async fn rule_r_a_decline_is_replayed_and_not_tried_again<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    for _ in 0..2 {
        assert_eq!(reason(again(&bench, "decline").await), "PAYMENT_DECLINED");
        assert_eq!((bench.till.asked(), bench.count().await), (1, 1));
    }
}

pub async fn rule_r_a_request_that_failed_before_the_hold_leaves_no_record<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let first = bench.sold(None).await;
    assert_eq!(reason(again(&bench, "approve").await), S::SOLD_OUT.as_str());
    bench.cancel(&first.record().name).await.unwrap();
    answered(again(&bench, "approve").await);
    assert_eq!((bench.count().await, bench.free().await), (2, 0));
}

pub async fn rule_r_an_unavailable_payment_frees_the_id_for_another_try<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    assert_eq!(reason(again(&bench, "not_sent").await), "PAYMENT_UNAVAILABLE");
    answered(again(&bench, "approve").await);
    assert_eq!((bench.count().await, bench.free().await, bench.till.charges()), (2, 0, 1));
}

pub async fn rule_r_while_the_case_is_pending_the_same_request_joins_its_payment<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    assert_eq!(reason(again(&bench, "late").await), "PAYMENT_PENDING");
    let joined = answered(again(&bench, "approve").await);
    let case = bench.only().await;
    assert_eq!((case.record().state(), joined), (State::Confirmed, bench.shown(&case)));
    assert_eq!(bench.till.charges(), 1);
}

pub async fn rule_r_whoever_settles_stores_the_answer<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    assert_eq!(reason(again(&bench, "lost").await), "PAYMENT_PENDING");
    let name = bench.only().await.record().name.clone();
    bench.hears(&name, 1, Outcome::Declined).await;
    assert_eq!(bench.state(&name).await, State::Rejected);
    bench.till.circuit_open.store(true, Ordering::SeqCst);
    let asked = bench.till.asked();
    assert_eq!(reason(again(&bench, "lost").await), "PAYMENT_DECLINED");
    assert_eq!(bench.till.asked(), asked, "the answer was there; nobody was asked");
}

pub async fn rule_r_a_hold_is_replayed_as_it_was_first_answered<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    let hold = async || send(&bench, &caller("alice"), "id-1", "a", None).await;
    let held = answered(hold().await);
    let name = bench.only().await.record().name.clone();
    answered(bench.pay(&name, "approve").await);
    assert_ne!(bench.shown(&bench.read(&name).await), held, "an answer shows how the case stands");
    assert_eq!(answered(hold().await), held);
    assert_eq!(bench.count().await, 1);
}

pub async fn rule_r_a_cancellation_is_replayed_as_it_was_first_answered<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (alice, name) = (caller("alice"), bench.sold(Some("approve")).await.record().name.clone());
    let cancel = async |body: &str| {
        let cancels = Cancels { asks: Asks::User("users/alice"), cause: None, reason: body, waits: Duration::ZERO };
        let request = Request::new(&alice, "Cancel", "id-1", &body.to_owned());
        bench.checkout.cancel(&name, Scope::All, cancels, request, &alice.actor()).await
    };
    let first = answered(cancel("a").await);
    *bench.till.refund.lock().unwrap() = Refunded::Succeeded;
    bench.wait(60);
    bench.sweep().await;
    assert_eq!(bench.state(&name).await, State::Cancelled);
    assert_eq!(answered(cancel("a").await), first);
    assert_eq!(reason(cancel("b").await), "REQUEST_ID_REUSED");
}

pub async fn rule_r_an_answer_that_was_stored_at_settling_is_replayed_as_it_was_after_a_cancellation<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    assert_eq!(reason(again(&bench, "open").await), "PAYMENT_PENDING");
    let name = bench.only().await.record().name.clone();
    bench.hears(&name, 1, Outcome::Approved).await;
    let confirmed = bench.shown(&bench.read(&name).await);
    bench.cancel(&name).await.unwrap();
    assert_ne!(bench.shown(&bench.read(&name).await), confirmed, "the case is being cancelled");
    let asked = bench.till.asked();
    assert_eq!(answered(again(&bench, "open").await), confirmed);
    // Also where the same request would be refused if it were new.
    bench.till.circuit_open.store(true, Ordering::SeqCst);
    assert_eq!(answered(again(&bench, "open").await), confirmed);
    assert_eq!((bench.till.asked(), bench.count().await), (asked, 1));
}
