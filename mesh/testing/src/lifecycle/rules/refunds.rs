//! What payment tells of refunds, and of cases that are not here.

use contracts::payment::v1::{Payment, PaymentApproved, PaymentRefundFailed, PaymentRefunded, Refund, payment, refund};
use mesh_bus::policies::Handled;
use mesh_checkout::checkout::{Case, Cases, Record, State, payment_name, payments::Refunded, refund_id};
use mesh_foundation::{call::Actor, event::Event, fields, money::Money};
use uuid::Uuid;

use crate::lifecycle::{Bench, Seller};

/// The payment of a case, of which so much went back.
fn paid(record: &Record, refunded: Money) -> Payment {
    Payment {
        name: payment_name(&record.name, 1),
        case: record.name.clone(),
        state: payment::State::PartlyRefunded.into(),
        amount: Some(record.total.into()),
        refunded_amount: Some(refunded.into()),
        ..Payment::default()
    }
}

fn refund_of(payment: &Payment, id: &str, state: refund::State) -> Option<Refund> {
    Some(Refund { name: format!("{}/refunds/{id}", payment.name), state: state.into(), ..Refund::default() })
}

pub async fn rule_c_a_failed_refund_is_made_good_by_others_that_give_all_of_it_back<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let case = bench.sold(Some("approve")).await;
    let (record, name) = (case.record(), &case.record().name);
    bench.cancel(name).await.unwrap();
    let (actor, now) = (Actor::context("payment", "case"), bench.clock.now());
    let payment = paid(record, record.total.zero());
    let refund = refund_of(&payment, &refund_id(&payment.name), refund::State::Failed);
    let failed = PaymentRefundFailed { payment: Some(payment.clone()), refund };
    bench.hear(&Event::new("payment", "payment", &payment.name, 3, now, &actor, &failed)).await.unwrap();
    let why = async || bench.read(name).await.record().refund_failure_reason.clone();
    assert_eq!((bench.state(name).await, why().await.is_some()), (State::CancelRequested, true));

    let least = Money::new(1, record.total.code()).unwrap();
    let almost = record.total.minus(least).unwrap();
    for (version, back, state) in [(4, almost, State::CancelRequested), (5, record.total, State::Cancelled)] {
        let payment = paid(record, back);
        let refund = refund_of(&payment, &Uuid::from_u128(1).to_string(), refund::State::Succeeded);
        let refunded = PaymentRefunded { payment: Some(payment.clone()), refund };
        bench.hear(&Event::new("payment", "payment", &payment.name, version, now, &actor, &refunded)).await.unwrap();
        assert_eq!(bench.state(name).await, state, "{back:?} went back");
        assert_eq!(why().await.is_some(), state == State::CancelRequested, "no refund has failed any more");
    }
}

/// The event of the success may never come: the broker lost it, or it was put aside.
pub async fn rule_c_a_failed_refund_is_made_good_when_the_sweeper_finds_the_money_given_back<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(Some("approve")).await.record().name.clone();
    bench.cancel(&name).await.unwrap();
    let failed = || Refunded::Failed("ACCOUNT_CLOSED".to_owned());
    for (refunded, state) in [
        (failed(), State::CancelRequested),
        (failed(), State::CancelRequested),
        (Refunded::Succeeded, State::Cancelled),
    ] {
        *bench.till.refund.lock().unwrap() = refunded;
        bench.wait(30);
        bench.sweep().await;
        assert_eq!(bench.state(&name).await, state);
    }
    assert_eq!(bench.read(&name).await.record().refund_failure_reason, None);
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelRequested", "Cancelled"]);
}

pub async fn an_approval_for_a_case_that_is_not_here_is_not_passed_over<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (actor, now) = (Actor::context("payment", "case"), bench.clock.now());
    let record = bench.sold(None).await.record().clone();
    let approval = |case: String| {
        let payment = paid(&Record { name: case, ..record.clone() }, record.total);
        let name = payment.name.clone();
        Event::new("payment", "payment", name, 2, now, &actor, &PaymentApproved { payment: Some(payment) })
    };
    let lost = fields::name(S::Cases::COLLECTION, Uuid::from_u128(9));
    let error = bench.hear(&approval(lost.clone())).await.expect_err("a person has to look").to_string();
    assert!(error.contains(&lost), "{error}");
    let elsewhere = bench.hear(&approval("others/1".to_owned())).await;
    assert_eq!(elsewhere.unwrap(), Handled::Done, "another context's case");
}
