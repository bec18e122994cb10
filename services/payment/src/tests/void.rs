//! VoidPayment, against whatever is under way.

use uuid::Uuid;

use super::{CASE, bench, charged, context, declined, order, reason};
use crate::{
    domain::{
        machine::State,
        provider::{Outcome, RefundOutcome},
        refund::{Kind, RefundState},
    },
    reasons, store,
};

#[tokio::test]
async fn an_id_that_was_never_paid_is_voided_and_refuses_to_be_paid_later() {
    let bench = bench().await;
    let tombstone = bench.void(1).await.expect("voided");
    assert_eq!((tombstone.state(), tombstone.case.as_str()), (State::Voided, CASE));
    assert_eq!(bench.told().await, [("voided".to_owned(), 1)]);
    assert_eq!(reason(bench.create(order(1)).await), reasons::PAYMENT_VOIDED);
    assert_eq!(bench.till.charge_calls(), 0);
    assert_eq!(bench.payment(1).await.next_attempt_time, None, "there is nothing to watch");
}

#[tokio::test]
async fn voiding_twice_is_told_once() {
    let bench = bench().await;
    for _ in 0..2 {
        assert_eq!(bench.void(1).await.expect("an answer").state(), State::Voided);
    }
    assert_eq!(bench.names_told().await, ["voided"]);
}

#[tokio::test]
async fn an_approved_payment_is_answered_and_stays() {
    let bench = bench().await;
    let before = bench.approved(1).await;
    assert_eq!(bench.void(1).await.expect("an answer"), bench.payment(1).await);
    assert_eq!(bench.payment(1).await.version, before.version);
    assert_eq!(bench.names_told().await, ["approved"]);
}

#[tokio::test]
async fn another_cases_payment_is_not_there_to_be_voided() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    let other = "reservations/0190a5d8-0000-7000-8000-000000000009";
    let voided = bench.app.void(&context("reservation"), Uuid::from_u128(1), other).await;
    assert_eq!(reason(voided), reasons::PAYMENT_NOT_FOUND);
    assert_eq!(bench.state(1).await, State::Pending);
}

#[tokio::test]
async fn an_approval_that_finds_its_payment_voided_is_given_back_and_never_told() {
    let bench = bench().await;
    bench.till.holds(charged());
    let create = bench.create(order(1));
    let void = async {
        bench.till.has_one_held().await;
        assert_eq!(bench.void(1).await.expect("voided").state(), State::Voided);
        bench.till.let_go();
    };
    let (created, ()) = tokio::join!(create, void);
    assert_eq!(reason(created), reasons::PAYMENT_VOIDED);
    assert_eq!(bench.balance("guest_clearing").await, -90_000, "owed to the guest until it is back");

    bench.settle().await;
    assert_eq!(bench.till.given_back(1), 90_000);
    assert_eq!(bench.names_told().await, ["voided"]);
    assert_eq!((bench.balance("provider").await, bench.balance("guest_clearing").await), (0, 0));
    let refunds = bench.refunds().await;
    assert_eq!((refunds[0].kind, refunds[0].state), (Kind::Reversal, RefundState::Succeeded));
}

#[tokio::test]
async fn a_voided_payment_that_is_charged_late_is_reversed_and_never_published() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    bench.void(1).await.expect("voided");
    bench.pass(40).await;
    bench.till.becomes(1, charged());
    bench.pass(40).await;
    assert_eq!(bench.till.given_back(1), 90_000, "found within twice the time by which it was late");
    assert_eq!(bench.state(1).await, State::Voided);
    assert_eq!(bench.names_told().await, ["voided"]);
    assert_eq!((bench.balance("provider").await, bench.balance("guest_clearing").await), (0, 0));
    assert_eq!(bench.balance(&format!("payable/{}", super::HOST)).await, 0, "the host was never to get it");

    let looks = bench.till.looks();
    bench.pass(60).await;
    assert_eq!(bench.till.looks(), looks, "nothing is left to watch");
}

#[tokio::test]
async fn a_late_charge_that_the_provider_will_not_give_back_is_asked_for_until_it_does() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    bench.void(1).await.expect("voided");
    bench.till.becomes(1, charged());
    bench.till.refund_says(RefundOutcome::Failed { reason: "ACCOUNT_CLOSED".to_owned() });
    bench.pass(120).await;
    let refunds = bench.refunds().await;
    assert_eq!((refunds[0].kind, refunds[0].state), (Kind::Reversal, RefundState::Pending));
    assert!((3..12).contains(&bench.till.refund_calls()), "less and less often: {}", bench.till.refund_calls());
    assert_eq!(bench.balance("guest_clearing").await, -90_000, "owed to the guest all the while");

    bench.till.forgets_refusals();
    bench.pass(31).await;
    assert_eq!(bench.refund_states().await, [RefundState::Succeeded]);
    assert_eq!((bench.balance("provider").await, bench.balance("guest_clearing").await), (0, 0));
    assert_eq!(bench.names_told().await, ["voided"]);
}

#[tokio::test]
async fn a_voided_payment_that_is_declined_is_watched_no_longer() {
    let bench = bench().await;
    bench.till.loses_answer(declined());
    bench.create(order(1)).await.expect("pending");
    bench.void(1).await.expect("voided");
    bench.pass(5).await;
    assert_eq!(bench.payment(1).await.next_attempt_time, None);
    assert_eq!(bench.state(1).await, State::Voided);
}

#[tokio::test]
async fn a_voided_payment_that_nobody_charges_is_watched_less_and_less_and_then_no_more() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    bench.void(1).await.expect("voided");
    for _ in 0..40 * 24 {
        bench.clock.advance(jiff::SignedDuration::from_hours(1));
        bench.settle().await;
    }
    assert_eq!(bench.payment(1).await.next_attempt_time, None);
    assert!((30..60).contains(&bench.till.looks()), "{} looks in 30 days", bench.till.looks());
}

#[tokio::test]
async fn of_two_voids_that_race_one_voids_and_one_reads_it() {
    let bench = bench().await;
    let (one, other) = tokio::join!(bench.void(1), bench.void(1));
    assert_eq!(one.expect("an answer").state(), State::Voided);
    assert_eq!(other.expect("an answer").state(), State::Voided);
    assert_eq!(bench.names_told().await, ["voided"]);
}

#[tokio::test]
async fn a_write_that_was_decided_on_what_no_longer_stands_is_lost() {
    let bench = bench().await;
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    let mut stale = bench.payment(1).await;
    bench.void(1).await.expect("voided");
    let stale_approval = stale.record(&charged(), false, super::now()).expect("recorded");
    assert!(stale_approval.is_some());
    let stale = &stale;
    let saved =
        bench.database.transact("stale", |tx| async move { tx.expect(store::saved(&mut stale.clone())?).await }).await;
    assert!(matches!(saved, Err(mesh::Error::Lost)), "{saved:?}");
    assert_eq!(bench.state(1).await, State::Voided);
}
