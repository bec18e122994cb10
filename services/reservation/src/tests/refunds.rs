//! What payment tells of refunds, and of cases that are not here.

use contracts::payment::v1::{Payment, PaymentApproved, PaymentRefundFailed, PaymentRefunded, Refund, payment, refund};
use mesh::{
    Actor, Error, Event,
    checkout::{State, payment_name, payments::Refunded, refund_id},
    context::Handled,
    money::Money,
};
use prost::{Message, Name};

use super::{House, now};

fn event<M: Message + Name>(name: String, version: u64, message: &M) -> Event {
    Event::new("payment", "payment", name, version, now(), &Actor::context("payment", "case"), message)
}

/// The payment of a case of ₩180,000, of which so much went back.
fn paid(case: &str, refunded_minor: i64) -> Payment {
    let money = |minor| Some(Money::new(minor, "KRW").expect("money").into());
    Payment {
        name: payment_name(case, 1),
        case: case.to_owned(),
        state: payment::State::PartlyRefunded.into(),
        amount: money(180_000),
        refunded_amount: money(refunded_minor),
        ..Payment::default()
    }
}

fn refund_of(payment: &Payment, id: &str, state: refund::State) -> Refund {
    Refund { name: format!("{}/refunds/{id}", payment.name), state: state.into(), ..Refund::default() }
}

async fn hear(house: &House, event: &Event) -> Result<Handled, Error> {
    let checkout = &house.checkout;
    let payment: &Payment = &event.carried().expect("a payment");
    house.database.transact("hear", |tx| async move { checkout.hear(&tx, payment, event).await }).await
}

#[tokio::test]
async fn a_cancellation_whose_refund_failed_is_complete_when_others_have_given_all_of_it_back() {
    let house = House::with_units(1).await;
    let case = house.booked(Some("approve")).await.name;
    house.cancel(&case).await.expect("an answer");
    let payment = paid(&case, 0);
    let refund = refund_of(&payment, &refund_id(&payment.name), refund::State::Failed);
    let failed = PaymentRefundFailed { payment: Some(payment.clone()), refund: Some(refund) };
    hear(&house, &event(payment.name, 3, &failed)).await.expect("heard");
    let why = async || house.read(&case).await.record.refund_failure_reason;
    assert_eq!((house.state(&case).await, why().await.is_some()), (State::CancelRequested, true));

    for (version, refunded_minor, state) in [(4, 179_999, State::CancelRequested), (5, 180_000, State::Cancelled)] {
        let payment = paid(&case, refunded_minor);
        let refund = refund_of(&payment, "0190a5d8-0000-7000-8000-000000000001", refund::State::Succeeded);
        let refunded = PaymentRefunded { payment: Some(payment.clone()), refund: Some(refund) };
        hear(&house, &event(payment.name, version, &refunded)).await.expect("heard");
        assert_eq!(house.state(&case).await, state, "{refunded_minor} went back");
        assert_eq!(why().await.is_some(), state == State::CancelRequested, "nothing of a refund has failed any more");
    }
}

/// Whoever heard of the failure may be told of the success by nobody: a broker that lost it, an event that was put aside.
#[tokio::test]
async fn a_cancellation_whose_refund_failed_is_complete_when_the_sweeper_finds_the_money_given_back() {
    let house = House::with_units(1).await;
    let case = house.booked(Some("approve")).await.name;
    house.cancel(&case).await.expect("an answer");
    for (refunded, state) in [
        (Refunded::Failed("ACCOUNT_CLOSED".to_owned()), State::CancelRequested),
        (Refunded::Failed("ACCOUNT_CLOSED".to_owned()), State::CancelRequested),
        (Refunded::Succeeded, State::Cancelled),
    ] {
        *house.till.refund.lock().expect("lock") = refunded;
        house.wait(30);
        house.checkout.sweep_once().await.expect("swept");
        assert_eq!(house.state(&case).await, state);
    }
    assert_eq!(house.read(&case).await.record.refund_failure_reason, None);
    assert_eq!(house.told().await, ["Held", "Confirmed", "CancelRequested", "Cancelled"]);
}

#[tokio::test]
async fn an_approval_for_a_case_that_is_not_here_is_not_passed_over() {
    let house = House::with_units(1).await;
    let case = "reservations/0190a5d8-0000-7000-8000-000000000009";
    let approved = PaymentApproved { payment: Some(paid(case, 0)) };
    let heard = hear(&house, &event(payment_name(case, 1), 2, &approved)).await;
    let error = heard.expect_err("a person has to look").to_string();
    assert!(error.contains(case), "{error}");

    let elsewhere = PaymentApproved { payment: Some(paid("orders/1", 0)) };
    let heard = hear(&house, &event(payment_name("orders/1", 1), 2, &elsewhere)).await;
    assert_eq!(heard.expect("heard"), Handled::Done, "another context's case is none of ours");
}
