//! Rule A: one payment attempt at a time, and only a declined one makes room for the next.

use mesh::checkout::{State, machine::Outcome};

use super::{House, reason, resource};

#[tokio::test]
async fn rule_a_a_declined_card_leaves_the_hold_for_another() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    assert_eq!(reason(house.pay(&held.name, "decline").await), "PAYMENT_DECLINED");
    assert_eq!(house.taken().await, [1, 1]);
    let paid = resource(house.pay(&held.name, "approve").await.expect("an answer"));
    assert_eq!(paid.state().as_str_name(), "CONFIRMED");
    assert_eq!(house.till.charges(), 1);
}

#[tokio::test]
async fn rule_a_paying_again_while_the_outcome_is_unknown_asks_for_the_same_payment() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    assert_eq!(reason(house.pay(&held.name, "late").await), "PAYMENT_PENDING");
    let paid = resource(house.pay(&held.name, "approve").await.expect("an answer"));
    assert_eq!(paid.state().as_str_name(), "CONFIRMED");
    assert_eq!(house.till.charges(), 1, "one payment, charged once");
}

#[tokio::test]
async fn rule_a_an_attempt_that_was_not_sent_stays_open_until_the_hold_expires() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    assert_eq!(reason(house.pay(&held.name, "not_sent").await), "PAYMENT_UNAVAILABLE");
    // Long after payment would have been asked about, the guest's hold still stands.
    house.wait(60);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&held.name).await, State::Pending);
    let record = house.read(&held.name).await.record;
    assert_eq!((record.standing.attempt, record.standing.attempt_open), (1, true));
    resource(house.pay(&held.name, "approve").await.expect("an answer"));
    assert_eq!(house.read(&held.name).await.record.standing.attempt, 1);
}

#[tokio::test]
async fn rule_a_a_voided_attempt_ends_the_case() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    assert_eq!(reason(house.pay(&held.name, "open").await), "PAYMENT_PENDING");
    house.hears(&held.name, 1, Outcome::Voided).await;
    assert_eq!(house.state(&held.name).await, State::Rejected);
    assert_eq!(reason(house.pay(&held.name, "approve").await), "ILLEGAL_TRANSITION");
    assert_eq!(house.till.charges(), 0);
}

#[tokio::test]
async fn rule_a_whose_card_was_declined_is_told_so_whatever_came_of_the_next_one() {
    for (next, state) in [("approve", State::Confirmed), ("open", State::Pending)] {
        let house = House::with_units(1).await;
        let held = house.booked(None).await;
        let others = async {
            while house.till.asked() == 0 {
                tokio::task::yield_now().await;
            }
            house.hears(&held.name, 1, Outcome::Declined).await;
            let _answer = house.pay(&held.name, next).await;
            house.till.open_gate();
        };
        let (first, ()) = tokio::join!(house.pay(&held.name, "gate_lost"), others);
        assert_eq!(house.state(&held.name).await, state);
        assert_eq!(reason(first), "PAYMENT_DECLINED", "and then {next}");
    }
}
