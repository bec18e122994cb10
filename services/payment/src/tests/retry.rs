//! RetryRefund.

use contracts::payment::v1::{RetryRefundRequest, payment_service_server::PaymentService};
use mesh::{Caller, Error, Reason, store::entity::outbox};
use sea_orm::{EntityTrait, QueryOrder};
use uuid::Uuid;

use super::{Bench, HOST, api::by, bench, context, money, reason, refusal};
use crate::{
    app::Retry,
    domain::{
        machine::State,
        provider::RefundOutcome,
        refund::{Refund, RefundState},
    },
    reasons,
};

fn failed() -> RefundOutcome {
    RefundOutcome::Failed { reason: "ACCOUNT_CLOSED".to_owned() }
}

/// The service centre, at work on something of its own.
fn service_centre() -> Caller {
    Caller { correlation_id: "complaint-7".to_owned(), ..context("servicecenter") }
}

impl Bench {
    /// An approved payment of ₩90,000, of which a refund of so much failed.
    async fn with_failed(&self, refund: u128, amount: Option<i64>) {
        if self.names_told().await.is_empty() {
            self.approved(1).await;
        }
        self.till.refund_says(failed());
        assert_eq!(self.refund(1, refund, amount).await.expect("a refund").state, RefundState::Failed);
    }

    async fn retry(&self, failed: u128, refund: u128) -> Result<Refund, Error> {
        let ids = [1, failed, refund].map(Uuid::from_u128);
        self.app.retry_refund(&service_centre(), Retry { payment: ids[0], failed: ids[1], refund: ids[2] }).await
    }

    async fn owed_to_host(&self) -> i64 {
        -self.balance(&format!("payable/{HOST}")).await
    }
}

#[tokio::test]
async fn a_refund_that_failed_is_asked_for_again_under_another_id_and_told_of_its_case() {
    let bench = bench().await;
    bench.with_failed(11, Some(30_000)).await;
    let retried = bench.retry(11, 12).await.expect("a refund");
    assert_eq!(
        (retried.state, retried.amount, retried.id),
        (RefundState::Succeeded, money(30_000), Uuid::from_u128(12))
    );
    assert_eq!((bench.state(1).await, bench.till.given_back(1)), (State::PartlyRefunded, 30_000));
    assert_eq!((bench.balance("guest_clearing").await, bench.owed_to_host().await), (0, 60_000));

    assert_eq!(bench.names_told().await, ["approved", "refund_failed", "refunded"]);
    let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(bench.database.read()).await;
    let last = rows.expect("outbox").pop().expect("an event");
    assert_eq!((last.correlation_id.as_str(), last.actor.as_str()), ("case-1", "contexts/servicecenter"));
}

#[tokio::test]
async fn the_same_retry_sent_again_is_answered_as_it_stands() {
    let bench = bench().await;
    bench.with_failed(11, Some(30_000)).await;
    bench.till.refund_says(failed());
    for _ in 0..3 {
        assert_eq!(bench.retry(11, 12).await.expect("a refund").state, RefundState::Failed);
    }
    assert_eq!(bench.till.refund_calls(), 2, "the refund and its retry");
    // An id that stands for another amount already.
    bench.with_failed(13, Some(20_000)).await;
    assert_eq!(reason(bench.retry(11, 13).await), Reason::REQUEST_ID_REUSED);
}

#[tokio::test]
async fn what_failed_is_given_back_once_however_often_it_is_retried() {
    let bench = bench().await;
    bench.with_failed(11, Some(30_000)).await;
    let retries = futures::future::join_all((0..6).map(|id| bench.retry(11, 20 + id))).await;
    let (done, refused): (Vec<_>, Vec<_>) = retries.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), bench.till.given_back(1)), (1, 30_000));
    for outcome in refused {
        let refused = refusal(outcome.expect_err("refused"));
        assert_eq!((refused.reason, refused.metadata["left"].as_str()), (reasons::REFUND_EXCEEDS_PAYMENT, "0 KRW"));
    }
    assert_eq!(bench.owed_to_host().await, 60_000, "the host does not pay for it twice");
}

#[tokio::test]
async fn a_retry_that_fails_leaves_the_money_owed_and_can_be_retried() {
    let bench = bench().await;
    bench.with_failed(11, Some(30_000)).await;
    for (failing, id) in [(11, 12), (11, 13), (13, 14)] {
        bench.till.refund_says(failed());
        assert_eq!(bench.retry(failing, id).await.expect("a refund").state, RefundState::Failed);
        assert_eq!((bench.balance("guest_clearing").await, bench.owed_to_host().await), (-30_000, 60_000));
    }
    assert_eq!(bench.retry(14, 15).await.expect("a refund").state, RefundState::Succeeded);
    assert_eq!((bench.balance("guest_clearing").await, bench.owed_to_host().await), (0, 60_000));
}

#[tokio::test]
async fn of_several_refunds_that_failed_each_is_retried() {
    let bench = bench().await;
    bench.approved(1).await;
    // Asked for at the same time: one that is asked for after another has failed comes out of what is owed.
    bench.till.refuses();
    for (refund, amount) in [(11, 30_000), (12, 20_000)] {
        assert_eq!(bench.refund(1, refund, Some(amount)).await.expect("a refund").state, RefundState::Pending);
        bench.till.refund_says(failed());
    }
    bench.till.recovers();
    bench.pass(10).await;
    assert_eq!(bench.refund_states().await, [RefundState::Failed; 2]);
    assert_eq!(bench.retry(11, 13).await.expect("a refund").amount, money(30_000));
    let refused = refusal(bench.retry(11, 14).await.expect_err("given back"));
    assert_eq!((refused.reason, refused.metadata["left"].as_str()), (reasons::REFUND_EXCEEDS_PAYMENT, "20000 KRW"));
    assert_eq!(bench.retry(12, 15).await.expect("a refund").amount, money(20_000));
    assert_eq!((bench.balance("guest_clearing").await, bench.owed_to_host().await), (0, 40_000));
}

#[tokio::test]
async fn a_retry_that_gets_no_answer_is_asked_for_until_it_is_known() {
    let bench = bench().await;
    bench.with_failed(11, None).await;
    bench.till.refund_says(RefundOutcome::Open);
    assert_eq!(bench.retry(11, 12).await.expect("a refund").state, RefundState::Pending);
    let bench = bench.restart().await;
    bench.pass(6).await;
    assert_eq!((bench.state(1).await, bench.till.given_back(1)), (State::Refunded, 90_000));
    assert_eq!(bench.names_told().await, ["approved", "refund_failed", "refunded"]);
}

#[tokio::test]
async fn only_what_failed_is_asked_for_again() {
    let bench = bench().await;
    bench.approved(1).await;
    bench.refund(1, 11, Some(10_000)).await.expect("succeeded");
    bench.till.refund_says(RefundOutcome::Open);
    bench.refund(1, 12, Some(10_000)).await.expect("pending");
    for (refund, from) in [(11, "SUCCEEDED"), (12, "PENDING")] {
        let refused = refusal(bench.retry(refund, 13).await.expect_err("it did not fail"));
        assert_eq!((refused.reason, refused.metadata["from"].as_str()), (Reason::ILLEGAL_TRANSITION, from));
    }
    let missing = refusal(bench.retry(14, 13).await.expect_err("no such refund"));
    assert_eq!(missing.reason, reasons::REFUND_NOT_FOUND);
    let name = format!("payments/{}/refunds/{}", Uuid::from_u128(1), Uuid::from_u128(14));
    assert_eq!(missing.metadata["refund"], name);
    let elsewhere = Retry { payment: Uuid::from_u128(2), failed: Uuid::from_u128(11), refund: Uuid::from_u128(13) };
    assert_eq!(reason(bench.app.retry_refund(&service_centre(), elsewhere).await), reasons::PAYMENT_NOT_FOUND);
    assert_eq!(bench.till.refund_calls(), 2);
}

#[tokio::test]
async fn a_retry_names_the_refund_and_an_id_of_its_own() {
    let bench = bench().await;
    bench.with_failed(11, None).await;
    let api = bench.api().await;
    let (payment, refund) = (format!("payments/{}", Uuid::from_u128(1)), Uuid::from_u128(11).to_string());
    let name = format!("{payment}/refunds/{refund}");
    let id = Uuid::from_u128(12).to_string();
    for (name, refund_id, faults) in [
        ("", "", &["name", "refund_id"][..]),
        (payment.as_str(), &id, &["name"]),
        (&format!("{payment}/refunds/"), &id, &["name"]),
        (&format!("{payment}/refunds/1"), &id, &["name"]),
        (&format!("{name}/"), &id, &["name"]),
        (&format!("{payment}/refunds/{}", refund.replace('-', "")), &id, &["name"]),
        (&format!("rooms/{refund}/refunds/{refund}"), &id, &["name"]),
        (&format!("{name}/refunds/{refund}"), &id, &["name"]),
        (&name, "12", &["refund_id"]),
        (&name, &format!("refunds/{id}"), &["refund_id"]),
        (&name, &refund, &["refund_id"]),
    ] {
        let request = RetryRefundRequest { name: name.to_owned(), refund_id: refund_id.to_owned() };
        let status = api.retry_refund(by(&service_centre(), request)).await.expect_err("faults");
        let refusal = mesh::Refusal::from_status(&status).expect("a refusal");
        assert_eq!(refusal.reason, Reason::INVALID_FIELDS, "{name} {refund_id}");
        let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, faults, "{name} {refund_id}");
    }
    let request = RetryRefundRequest { name, refund_id: id.clone() };
    let retried = api.retry_refund(by(&service_centre(), request)).await.expect("a refund").into_inner();
    assert_eq!(retried.name, format!("{payment}/refunds/{id}"));
}
