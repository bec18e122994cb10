//! RefundPayment.

use mesh::Reason;
use uuid::Uuid;

use super::{HOST, bench, context, declined, money, order, reason, refusal};
use crate::{
    app::Wish,
    domain::{
        machine::State,
        provider::{Outcome, RefundOutcome},
        refund::RefundState,
    },
    reasons,
};

fn failed() -> RefundOutcome {
    RefundOutcome::Failed { reason: "ACCOUNT_CLOSED".to_owned() }
}

#[tokio::test]
async fn a_payment_is_refunded_in_parts_until_nothing_is_left() {
    let bench = bench().await;
    bench.approved(1).await;
    assert_eq!(bench.refund(1, 11, Some(30_000)).await.expect("a refund").state, RefundState::Succeeded);
    assert_eq!(bench.state(1).await, State::PartlyRefunded);
    let exceeds = refusal(bench.refund(1, 12, Some(60_001)).await.expect_err("too much"));
    assert_eq!((exceeds.reason, exceeds.metadata["left"].as_str()), (reasons::REFUND_EXCEEDS_PAYMENT, "60000 KRW"));
    assert_eq!(bench.refund(1, 13, None).await.expect("the rest").amount, money(60_000));
    assert_eq!(bench.state(1).await, State::Refunded);
    assert_eq!(reason(bench.refund(1, 14, None).await), reasons::REFUND_EXCEEDS_PAYMENT);

    assert_eq!(bench.till.given_back(1), 90_000);
    assert_eq!(
        bench.told().await,
        [("approved".to_owned(), 2), ("refunded".to_owned(), 3), ("refunded".to_owned(), 4)]
    );
    for account in ["provider", "guest_clearing", &format!("payable/{HOST}")] {
        assert_eq!(bench.balance(account).await, 0, "{account}");
    }
}

#[tokio::test]
async fn the_same_refund_asked_again_is_answered_as_it_stands() {
    let bench = bench().await;
    bench.approved(1).await;
    for _ in 0..3 {
        assert_eq!(bench.refund(1, 11, Some(30_000)).await.expect("a refund").state, RefundState::Succeeded);
    }
    assert_eq!(bench.refund(1, 11, None).await.expect("a refund").amount, money(30_000));
    assert_eq!(reason(bench.refund(1, 11, Some(40_000)).await), Reason::REQUEST_ID_REUSED);
    assert_eq!((bench.till.refund_calls(), bench.till.given_back(1)), (1, 30_000));
}

#[tokio::test]
async fn a_refund_that_gets_no_answer_is_pending_and_is_asked_for_until_it_is_known() {
    let bench = bench().await;
    bench.approved(1).await;
    bench.till.refund_says(RefundOutcome::Open);
    assert_eq!(bench.refund(1, 11, None).await.expect("a refund").state, RefundState::Pending);
    assert_eq!(bench.state(1).await, State::Approved, "not given back before it is known to be");
    assert_eq!(bench.balance("guest_clearing").await, -90_000);
    assert_eq!(reason(bench.refund(1, 12, Some(1)).await), reasons::REFUND_EXCEEDS_PAYMENT, "it is spoken for");

    bench.pass(6).await;
    assert_eq!(bench.state(1).await, State::Refunded);
    assert_eq!(bench.till.given_back(1), 90_000, "once, though it was asked for twice");
    assert_eq!(bench.names_told().await, ["approved", "refunded"]);
}

#[tokio::test]
async fn a_refund_that_is_refused_stays_owed_and_can_be_asked_for_anew() {
    let bench = bench().await;
    bench.approved(1).await;
    bench.till.refund_says(failed());
    let refund = bench.refund(1, 11, None).await.expect("a refund");
    assert_eq!((refund.state, refund.failure_reason.as_deref()), (RefundState::Failed, Some("ACCOUNT_CLOSED")));
    assert_eq!(bench.state(1).await, State::Approved);
    assert_eq!(bench.told().await, [("approved".to_owned(), 2), ("refund_failed".to_owned(), 3)]);
    assert_eq!(bench.balance("guest_clearing").await, -90_000, "the guest still has to get it");
    assert_eq!(bench.balance(&format!("payable/{HOST}")).await, 0, "and the host does not");

    assert_eq!(bench.refund(1, 12, None).await.expect("another").state, RefundState::Succeeded);
    assert_eq!(bench.state(1).await, State::Refunded);
    assert_eq!(bench.balance("guest_clearing").await, 0);
    assert_eq!(bench.balance(&format!("payable/{HOST}")).await, 0, "not taken from the host twice");
}

#[tokio::test]
async fn what_was_not_paid_cannot_be_refunded() {
    let bench = bench().await;
    bench.till.says(declined());
    bench.create(order(1)).await.expect("declined");
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(2)).await.expect("pending");
    bench.void(3).await.expect("voided");
    for (id, from) in [(1, "DECLINED"), (2, "PENDING"), (3, "VOIDED")] {
        let refused = refusal(bench.refund(id, 11, None).await.expect_err("refused"));
        assert_eq!((refused.reason, refused.metadata["from"].as_str()), (Reason::ILLEGAL_TRANSITION, from));
    }
    assert_eq!(reason(bench.refund(4, 11, None).await), reasons::PAYMENT_NOT_FOUND);
    assert_eq!(bench.till.refund_calls(), 0);
}

#[tokio::test]
async fn a_refund_is_in_the_currency_that_was_paid() {
    let bench = bench().await;
    bench.approved(1).await;
    let dollars = mesh::money::Money::new(1, "USD").expect("money");
    let wish = Wish { payment: Uuid::from_u128(1), refund: Uuid::from_u128(11), amount: Some(dollars) };
    let refused = bench.app.refund(&context("reservation"), "reservations", wish).await;
    assert_eq!(reason(refused), Reason::CURRENCY_MISMATCH);
}

#[tokio::test]
async fn a_context_refunds_its_own_cases_only() {
    let bench = bench().await;
    bench.approved(1).await;
    for collection in ["orders", "reservation"] {
        let wish = Wish { payment: Uuid::from_u128(1), refund: Uuid::from_u128(11), amount: None };
        let refused = bench.app.refund(&context("order"), collection, wish).await;
        assert_eq!(reason(refused), reasons::PAYMENT_NOT_FOUND);
    }
}

#[tokio::test]
async fn refunds_that_race_never_give_back_more_than_was_paid() {
    let bench = bench().await;
    bench.approved(1).await;
    let wishes = (0..6).map(|id| bench.refund(1, 20 + id, Some(40_000)));
    let outcomes = futures::future::join_all(wishes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert_eq!(bench.till.given_back(1), 80_000);
}
