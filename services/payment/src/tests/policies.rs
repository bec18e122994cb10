//! What payment does when it hears, in whatever order and however often.

use std::time::Duration;

use contracts::{
    google::r#type::Money as ProtoMoney,
    reservation::v1::{Reservation, ReservationCancelRequested, ReservationConfirmed, ReservationRefundRequested},
};
use mesh::{
    Actor, Error, Event, Reason,
    background::Background,
    checkout::refund_id,
    context::{Handled, Policies},
};
use proptest::prelude::*;
use prost::{Message, Name};

use super::{Bench, CASE, bench, money, now, order, reason};
use crate::{
    app::{App, Order},
    audit,
    domain::{machine::State, provider::Outcome, refund::RefundState},
    policies::hearing,
    reasons,
};

fn payment_name(id: u128) -> String {
    format!("payments/{}", order(id).id)
}

fn reservation(payment: u128, refund: Option<i64>) -> Reservation {
    Reservation {
        name: CASE.to_owned(),
        payment: payment_name(payment),
        refund_amount: refund.map(|minor| ProtoMoney::from(money(minor))),
        ..Reservation::default()
    }
}

fn event<M: Message + Name>(message: &M) -> Event {
    let actor = Actor { correlation_id: "case-1".to_owned(), causation_id: None, actor: "users/guest".to_owned() };
    Event::new("reservation", "reservation", CASE, 3, now(), &actor, message)
}

fn cancel_requested(payment: u128, refund: i64) -> Event {
    event(&ReservationCancelRequested { reservation: Some(reservation(payment, Some(refund))) })
}

fn refund_requested(payment: u128) -> Event {
    event(&ReservationRefundRequested { reservation: Some(reservation(99, None)), payment: payment_name(payment) })
}

impl Bench {
    async fn hears(&self, event: &Event) -> Result<Handled, Error> {
        let policies = &hearing(self.app.clone());
        self.database.transact("hear", |tx| async move { policies.handle(&tx, event).await }).await
    }
}

#[tokio::test]
async fn whenever_a_reservation_is_cancelled_its_refund_follows_under_the_same_case() {
    let bench = bench().await;
    bench.approved(1).await;
    let event = cancel_requested(1, 45_000);
    assert_eq!(bench.hears(&event).await.expect("heard"), Handled::Done);
    assert_eq!(bench.till.refund_calls(), 0, "a policy never calls out");
    assert_eq!(bench.refund_states().await, [RefundState::Pending]);

    bench.settle().await;
    assert_eq!(bench.till.given_back(1), 45_000);
    assert_eq!(bench.state(1).await, State::PartlyRefunded);
    let refund = bench.refunds().await.remove(0);
    assert_eq!(refund.id.to_string(), refund_id(&payment_name(1)));
    assert_eq!(refund.actor, Actor::hearing("payment", &event), "caused by that event");
}

#[tokio::test]
async fn whenever_money_came_for_an_ended_reservation_all_of_it_goes_back() {
    let bench = bench().await;
    bench.approved(1).await;
    bench.hears(&refund_requested(1)).await.expect("heard");
    bench.settle().await;
    assert_eq!(bench.till.given_back(1), 90_000);
}

#[tokio::test]
async fn a_cancellation_that_gives_nothing_back_asks_for_nothing() {
    let bench = bench().await;
    bench.approved(1).await;
    assert_eq!(bench.hears(&cancel_requested(1, 0)).await.expect("heard"), Handled::Done);
    assert!(bench.refunds().await.is_empty());
}

#[tokio::test]
async fn a_case_gets_its_own_payments_back_and_no_other() {
    let bench = bench().await;
    let other = Order { case: "reservations/0190a5d8-0000-7000-8000-000000000007".to_owned(), ..order(1) };
    bench.till.says(super::charged());
    bench.create(other).await.expect("paid");
    assert_eq!(reason(bench.hears(&refund_requested(1)).await), reasons::PAYMENT_NOT_FOUND);
    assert!(bench.refunds().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_refunded_is_put_aside_with_its_reason_and_not_passed_over() {
    let bench = bench().await;
    assert_eq!(reason(bench.hears(&refund_requested(1)).await), reasons::PAYMENT_NOT_FOUND);
    bench.till.never_gets_it(Outcome::Unknown);
    bench.create(order(1)).await.expect("pending");
    assert_eq!(reason(bench.hears(&refund_requested(1)).await), Reason::ILLEGAL_TRANSITION);
}

#[tokio::test]
async fn what_payment_does_not_hear_is_unknown_to_it() {
    let bench = bench().await;
    let confirmed = event(&ReservationConfirmed { reservation: Some(reservation(1, None)) });
    assert!(!hearing(bench.app.clone()).filters().contains(&confirmed.route));
    assert_eq!(bench.hears(&confirmed).await.expect("heard"), Handled::Unknown);
}

#[tokio::test]
async fn every_route_that_is_heard_is_the_route_of_its_event() {
    let bench = bench().await;
    let routes = [cancel_requested(1, 1).route, refund_requested(1).route];
    assert_eq!(hearing(bench.app.clone()).filters(), routes);
}

#[tokio::test]
async fn a_refund_that_is_heard_of_is_made_with_its_commit_and_not_at_the_next_interval() {
    let bench = bench().await;
    let settings = crate::Settings { recovery_interval: Duration::from_secs(3_600), ..crate::Settings::default() };
    let background = Background::new();
    let app = App::new(bench.database.clone(), bench.till.clone(), bench.clock.clone(), background.clone(), settings);
    let bench = Bench { app: app.expect("settings"), ..bench };
    bench.app.clone().start(&background);
    // One after another: the loop looks once by itself when it starts, and never again within this test.
    for id in 1..=5 {
        bench.approved(id).await;
        let mut commits = bench.database.commits();
        bench.hears(&refund_requested(id)).await.expect("heard");
        let refunded = async {
            while bench.state(id).await != State::Refunded {
                commits.changed().await.expect("open");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refunded).await.expect("woken by the commit");
    }
    background.drain(Duration::from_secs(1)).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Two payments: one of a cancelled reservation, one that came for an ended case. Both events, in any order and number, with
    /// the recovery loop, the RPC for the same refund and a crash in between.
    #[test]
    fn any_order_duplication_and_replay_is_one_refund_of_each(script in prop::collection::vec(0_u8..5, 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let mut bench = bench().await;
            bench.approved(1).await;
            bench.approved(2).await;
            let events = [cancel_requested(1, 45_000), refund_requested(2)];
            let by_rpc = uuid::Uuid::parse_str(&refund_id(&payment_name(1))).expect("an id");
            for step in script.iter().chain(&[0, 1]) {
                match step {
                    0 | 1 => {
                        prop_assert_eq!(bench.hears(&events[usize::from(*step)]).await.expect("heard"), Handled::Done);
                    }
                    2 => bench.settle().await,
                    3 => {
                        bench.refund(1, by_rpc.as_u128(), Some(45_000)).await.expect("a refund");
                    }
                    _ => bench = bench.restart().await,
                }
            }
            bench.pass(5).await;
            prop_assert_eq!(bench.refund_states().await, [RefundState::Succeeded; 2]);
            prop_assert_eq!((bench.till.given_back(1), bench.till.given_back(2)), (45_000, 90_000));
            prop_assert_eq!((bench.state(1).await, bench.state(2).await), (State::PartlyRefunded, State::Refunded));
            let told = bench.names_told().await;
            prop_assert_eq!(told.iter().filter(|name| *name == "refunded").count(), 2);
            prop_assert_eq!(bench.balance("guest_clearing").await, 0);
            prop_assert!(audit::unbalanced(&bench.database).await.expect("database").is_empty());
            Ok(())
        })?;
    }
}
