//! The rules of the lifecycle, one by one: each of these fails when its rule is broken.

use std::sync::atomic::Ordering;

use contracts::types::v1::cancellation::{self as message, Party};
use mesh::checkout::{
    Asks, Cause, State,
    machine::Outcome,
    payments::Refunded,
    store::{claim, due, update},
};

use super::{House, reason, resource};
use crate::store::Reservations;

#[tokio::test]
async fn a_paid_create_is_confirmed_and_holds_its_nights() {
    let house = House::with_units(1).await;
    let reservation = house.booked(Some("approve")).await;
    assert_eq!(reservation.state().as_str_name(), "CONFIRMED");
    assert_eq!(reservation.payment_label, "visa 4242");
    assert_eq!(house.taken().await, [1, 1]);
    assert_eq!(house.told().await, ["Held", "Confirmed"]);
}

#[tokio::test]
async fn a_declined_create_gives_its_nights_back_at_once() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("decline")).await), "PAYMENT_DECLINED");
    assert_eq!(house.only().await.record.state(), State::Rejected);
    assert_eq!(house.taken().await, [0, 0]);
    assert_eq!(house.told().await, ["Held", "Rejected"]);
}

#[tokio::test]
async fn rule_t_an_outcome_that_comes_twenty_times_is_one_transition() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("open")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    futures::future::join_all((0..20).map(|_| house.hears(&name, 1, Outcome::Approved))).await;
    assert_eq!(house.state(&name).await, State::Confirmed);
    assert_eq!(house.told().await, ["Held", "Confirmed"]);
    assert_eq!(house.taken().await, [1, 1]);
}

#[tokio::test]
async fn rule_t_of_two_contrary_outcomes_the_first_stands_and_the_units_agree() {
    for first_declined in [true, false] {
        let house = House::with_units(1).await;
        assert_eq!(reason(house.book(house.usual(), Some("open")).await), "PAYMENT_PENDING");
        let name = house.only().await.record.name;
        let mut outcomes = [Outcome::Declined, Outcome::Approved];
        if !first_declined {
            outcomes.reverse();
        }
        for outcome in outcomes {
            house.hears(&name, 1, outcome).await;
        }
        let (state, taken) = if first_declined { (State::Rejected, 0) } else { (State::Confirmed, 1) };
        assert_eq!(house.state(&name).await, state);
        assert_eq!(house.taken().await, [taken, taken]);
    }
}

#[tokio::test]
async fn rule_t_a_transition_from_what_no_longer_stands_is_lost() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    let stale = house.read(&held.name).await;
    // Still PENDING, but no longer that version.
    assert_eq!(reason(house.pay(&held.name, "decline").await), "PAYMENT_DECLINED");
    let stale = &stale;
    for (from, lost) in [
        ((stale.record.version, State::Pending), true),
        ((house.read(&held.name).await.record.version, State::Confirmed), true),
        ((house.read(&held.name).await.record.version, State::Pending), false),
    ] {
        let outcome = house.database.transact("stale", |tx| async move {
            match tx.expect(update::<Reservations>(from, stale)?).await {
                Err(mesh::Error::Lost) => Ok(true),
                other => other.map(|()| false),
            }
        });
        assert_eq!(outcome.await.expect("database"), lost, "{from:?}");
    }
}

#[tokio::test]
async fn rule_n_an_unknown_outcome_keeps_the_units() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("lost")).await), "PAYMENT_PENDING");
    assert_eq!(house.only().await.record.state(), State::Pending);
    assert_eq!(house.taken().await, [1, 1]);
}

#[tokio::test]
async fn rule_n_only_what_was_surely_not_sent_gives_the_units_back() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("not_sent")).await), "PAYMENT_UNAVAILABLE");
    assert_eq!(house.only().await.record.state(), State::Rejected);
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn rule_n_an_open_circuit_takes_no_hold() {
    let house = House::with_units(1).await;
    house.till.circuit_open.store(true, Ordering::SeqCst);
    assert_eq!(reason(house.book(house.usual(), Some("approve")).await), "PAYMENT_UNAVAILABLE");
    assert_eq!(house.count().await, 0);
    assert_eq!(house.till.asked(), 0);
}

#[tokio::test]
async fn rule_d_a_caller_who_hangs_up_changes_nothing() {
    let house = House::with_units(1).await;
    let mut call = Box::pin(house.book(house.usual(), Some("gate")));
    while house.till.asked() == 0 {
        // The caller hangs up as soon as payment has been asked.
        let _ = futures::poll!(&mut call);
        tokio::task::yield_now().await;
    }
    drop(call);
    house.till.open_gate();
    house.background.drain(std::time::Duration::from_secs(10)).await;
    assert_eq!(house.only().await.record.state(), State::Confirmed);
    assert_eq!(house.till.charges(), 1);
}

#[tokio::test]
async fn rule_o_money_for_a_case_that_has_ended_is_asked_back_once() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("not_sent")).await), "PAYMENT_UNAVAILABLE");
    let name = house.only().await.record.name;
    for _ in 0..3 {
        house.hears(&name, 1, Outcome::Approved).await;
    }
    assert_eq!(house.state(&name).await, State::Rejected);
    assert_eq!(house.told().await, ["Held", "Rejected", "RefundRequested"]);
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn rule_o_the_approval_that_paid_for_a_case_is_not_given_back_however_late_it_is_heard() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    // The policy gives nothing back: the cancellation is complete at once.
    let check_in = house.read(&paid.name).await.check_in;
    house.clock.advance(check_in.duration_since(house.clock.now()) - jiff::SignedDuration::from_hours(1));
    house.cancel(&paid.name).await.expect("an answer");
    for _ in 0..3 {
        house.hears(&paid.name, 1, Outcome::Approved).await;
    }
    assert_eq!(house.told().await, ["Held", "Confirmed", "Cancelled"]);
}

#[tokio::test]
async fn rule_s_the_sweeper_finds_an_approval_that_nobody_heard_of() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("late")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    assert_eq!(house.checkout.sweep_once().await.expect("swept"), 0, "not before payment's own deadline is over");
    house.wait(8);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&name).await, State::Confirmed);
}

#[tokio::test]
async fn rule_s_a_payment_that_is_not_there_is_voided_before_the_units_go() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("lost")).await), "PAYMENT_PENDING");
    let record = house.only().await.record;
    house.wait(8);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&record.name).await, State::Rejected);
    // The door is closed: the call that was lost finds a tombstone.
    let payment = mesh::checkout::payment_name(&record.name, 1);
    assert_eq!(house.till.knows(&payment), Some(Outcome::Voided));
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn rule_s_past_the_expiry_the_sweeper_voids_and_obeys() {
    for (decided, state, taken) in [(Outcome::Unknown, State::Expired, 0), (Outcome::Approved, State::Confirmed, 1)] {
        let house = House::with_units(1).await;
        let held = house.booked(None).await;
        assert_eq!(reason(house.pay(&held.name, "open").await), "PAYMENT_PENDING");
        let payment = mesh::checkout::payment_name(&held.name, 1);
        house.wait(601);
        house.till.decide(&payment, decided);
        house.checkout.sweep_once().await.expect("swept");
        assert_eq!(house.state(&held.name).await, state);
        assert_eq!(house.taken().await, [taken, taken]);
    }
}

#[tokio::test]
async fn rule_s_an_undecided_payment_is_not_voided_before_the_expiry() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("open")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    for _ in 0..5 {
        house.wait(61);
        house.checkout.sweep_once().await.expect("swept");
    }
    assert_eq!(house.state(&name).await, State::Pending);
}

#[tokio::test]
async fn rule_s_with_payment_out_of_reach_the_hold_stays_even_past_its_expiry() {
    let house = House::with_units(1).await;
    assert_eq!(reason(house.book(house.usual(), Some("lost")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    house.till.unreachable.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        house.wait(700);
        house.checkout.sweep_once().await.expect("swept");
    }
    assert_eq!(house.state(&name).await, State::Pending);
    assert_eq!(house.taken().await, [1, 1]);
    house.till.unreachable.store(false, Ordering::SeqCst);
    house.wait(700);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&name).await, State::Expired);
}

#[tokio::test]
async fn rule_s_an_unpaid_hold_expires_by_itself_without_asking_anybody() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    house.wait(599);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&held.name).await, State::Pending);
    house.wait(1);
    house.checkout.sweep_once().await.expect("swept");
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&held.name).await, State::Expired);
    assert_eq!((house.taken().await, house.till.asked()), (vec![0, 0], 0));
    assert_eq!(house.told().await, ["Held", "Expired"], "released exactly once");
}

#[tokio::test]
async fn rule_c_cancelling_gives_the_bed_back_at_once_and_asks_for_the_promised_refund() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let cancelled = resource(house.cancel(&paid.name).await.expect("an answer"));
    assert_eq!(cancelled.state().as_str_name(), "CANCEL_REQUESTED");
    assert_eq!(cancelled.refund_amount.as_ref().map(|money| money.units), Some(180_000));
    assert_eq!(house.taken().await, [0, 0], "a refund that is slow must not block a bed");
    let again = resource(house.cancel(&paid.name).await.expect("an answer"));
    assert_eq!(again.version, cancelled.version, "repeating it is harmless");
    assert_eq!(house.told().await, ["Held", "Confirmed", "CancelRequested"]);
}

#[tokio::test]
async fn rule_c_the_cancellation_is_complete_when_the_refund_is() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    house.cancel(&paid.name).await.expect("an answer");
    house.wait(60);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&paid.name).await, State::CancelRequested, "not before");
    *house.till.refund.lock().expect("lock") = Refunded::Succeeded;
    house.wait(60);
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(house.state(&paid.name).await, State::Cancelled);
}

#[tokio::test]
async fn rule_c_a_refund_refused_for_good_is_shown_and_never_called_complete() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    house.cancel(&paid.name).await.expect("an answer");
    *house.till.refund.lock().expect("lock") = Refunded::Failed("account_closed".to_owned());
    for _ in 0..3 {
        house.wait(60);
        house.checkout.sweep_once().await.expect("swept");
    }
    let record = house.read(&paid.name).await.record;
    assert_eq!(
        (record.state(), record.refund_failure_reason.as_deref()),
        (State::CancelRequested, Some("account_closed"))
    );
}

#[tokio::test]
async fn rule_c_cancelling_while_the_payment_is_under_way_ends_by_its_outcome() {
    for (decided, state, told) in [
        (Outcome::Unknown, State::Cancelled, vec!["Held", "Cancelled"]),
        (Outcome::Approved, State::CancelRequested, vec!["Held", "Confirmed", "CancelRequested"]),
    ] {
        let house = House::with_units(1).await;
        assert_eq!(reason(house.book(house.usual(), Some("open")).await), "PAYMENT_PENDING");
        let name = house.only().await.record.name;
        let asked = resource(house.cancel(&name).await.expect("an answer"));
        assert_eq!(asked.state().as_str_name(), "PENDING");
        assert_eq!(house.taken().await, [1, 1]);
        house.till.decide(&mesh::checkout::payment_name(&name, 1), decided);
        house.checkout.sweep_once().await.expect("swept");
        assert_eq!(house.state(&name).await, state);
        assert_eq!(house.taken().await, [0, 0]);
        assert_eq!(house.told().await, told);
    }
}

#[tokio::test]
async fn rule_c_cancelling_for_nothing_back_is_complete_without_payment() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    // An hour before check-in the policy gives nothing back.
    let check_in = house.read(&paid.name).await.check_in;
    house.clock.advance(check_in.duration_since(house.clock.now()) - jiff::SignedDuration::from_hours(1));
    let cancelled = resource(house.cancel(&paid.name).await.expect("an answer"));
    assert_eq!(cancelled.state().as_str_name(), "CANCELLED");
    assert_eq!(cancelled.refund_amount.map(|money| money.units), Some(0));
    assert_eq!(house.told().await, ["Held", "Confirmed", "Cancelled"]);
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn rule_c_a_stay_that_has_begun_cannot_be_cancelled() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let check_in = house.read(&paid.name).await.check_in;
    house.clock.advance(check_in.duration_since(house.clock.now()));
    assert_eq!(reason(house.cancel(&paid.name).await), "CANCELLATION_CLOSED");
    assert_eq!(house.state(&paid.name).await, State::Confirmed);
}

#[tokio::test]
async fn rule_c_whoever_but_the_guest_cancels_gives_everything_back() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let check_in = house.read(&paid.name).await.check_in;
    house.clock.advance(check_in.duration_since(house.clock.now()) - jiff::SignedDuration::from_hours(1));
    let answer = house.cancel_as(&paid.name, Asks::User("users/host"), Some(Cause::SoldOut)).await.expect("an answer");
    let cancelled = resource(answer);
    assert_eq!(cancelled.refund_amount.map(|money| money.units), Some(180_000));
    let cancellation = cancelled.cancellation.expect("by whom");
    assert_eq!((cancellation.party(), cancellation.cause()), (Party::Host, message::Cause::SoldOut));
}

#[tokio::test]
async fn rule_c_a_host_ends_a_stay_that_has_begun_until_it_is_over_and_an_agent_whenever() {
    let house = House::with_units(2).await;
    let (first, second) = (house.booked(Some("approve")).await, house.booked(Some("approve")).await);
    let record = house.read(&first.name).await;
    house.clock.advance(record.check_in.duration_since(house.clock.now()));
    assert_eq!(reason(house.cancel(&first.name).await), "CANCELLATION_CLOSED");
    let by_host = Asks::User("users/host");
    let ended = resource(house.cancel_as(&first.name, by_host, None).await.expect("an answer"));
    assert_eq!(ended.refund_amount.map(|money| money.units), Some(180_000));
    assert_eq!(house.taken().await, [1, 1], "the nights that are left are free");

    house.clock.advance(record.record.earn_time.duration_since(house.clock.now()));
    assert_eq!(reason(house.cancel_as(&second.name, by_host, None).await), "CANCELLATION_CLOSED");
    let complaint = Some(Cause::Complaint);
    let ended = house.cancel_as(&second.name, Asks::ServiceCentre, complaint).await.expect("an answer");
    let ended = resource(ended);
    assert_eq!(ended.refund_amount.map(|money| money.units), Some(180_000));
    assert_eq!(ended.cancellation.expect("by whom").party(), Party::Agent);
}

#[tokio::test]
async fn rule_c_a_guest_who_does_not_come_gets_what_the_policy_gives_then() {
    let house = House::with_units(2).await;
    let (paid, other) = (house.booked(Some("approve")).await, house.booked(Some("approve")).await);
    let (by_host, no_show) = (Asks::User("users/host"), Some(Cause::NoShow));
    // The night after check-in is theirs to come in: it is over at check-out time.
    let first_night = house.read(&paid.name).await.record.earn_time - jiff::SignedDuration::from_hours(24);
    for wait in [house.read(&paid.name).await.check_in, first_night - jiff::SignedDuration::from_secs(1)] {
        house.clock.advance(wait.duration_since(house.clock.now()));
        assert_eq!(
            reason(house.cancel_as(&paid.name, by_host, no_show).await),
            "INVALID_FIELDS",
            "they may still come"
        );
    }
    house.clock.advance(first_night.duration_since(house.clock.now()));
    let by_guest = house.cancel_as(&other.name, Asks::User("users/alice"), no_show).await;
    assert_eq!(reason(by_guest), "INVALID_FIELDS", "nobody says it of themselves");
    let ended = resource(house.cancel_as(&paid.name, by_host, no_show).await.expect("an answer"));
    assert_eq!((ended.state().as_str_name(), ended.refund_amount.map(|money| money.units)), ("CANCELLED", Some(0)));
    assert_eq!(house.taken().await, [1, 1]);
}

#[tokio::test]
async fn rule_c_who_never_had_a_moment_for_cancelling_gets_everything_back() {
    let house = House::with_units(1).await;
    let stay = house.read(&house.booked(None).await.name).await;
    // After check-in, and before the night is over: it can be booked, and not be cancelled any more once it is paid.
    house.clock.advance(stay.check_in.duration_since(house.clock.now()) + jiff::SignedDuration::from_hours(1));
    house.checkout.sweep_once().await.expect("swept");
    assert_eq!(reason(house.book(house.usual(), Some("open")).await), "PAYMENT_PENDING");
    let name = house.newest().await.record.name;
    house.cancel(&name).await.expect("asked");
    house.hears(&name, 1, Outcome::Approved).await;
    let cancelled = house.read(&name).await.record;
    assert_eq!((cancelled.state(), cancelled.refund_amount), (State::CancelRequested, Some(cancelled.total)));
}

#[tokio::test]
async fn rule_c_only_the_system_says_that_what_was_sold_is_gone() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    for asks in [Asks::User("users/alice"), Asks::User("users/host"), Asks::ServiceCentre] {
        let said = house.cancel_as(&paid.name, asks, Some(Cause::ListingRemoved)).await;
        assert_eq!(reason(said), "INVALID_FIELDS", "{asks:?}");
    }
    let gone = resource(house.cancel_as(&paid.name, Asks::System, None).await.expect("an answer"));
    let cancellation = gone.cancellation.expect("by whom");
    assert_eq!((cancellation.party(), cancellation.cause()), (Party::System, message::Cause::ListingRemoved));
}

#[tokio::test]
async fn rule_l_a_look_is_claimed_by_one() {
    let house = House::with_units(1).await;
    let held = house.booked(None).await;
    house.wait(601);
    let due = due::<Reservations>(house.database.read(), house.clock.now(), 10).await.expect("database");
    let [due] = due.as_slice() else { panic!("one is due: {due:?}") };
    assert_eq!(due.name, held.name);
    let next = house.clock.now() + jiff::SignedDuration::from_secs(60);
    let claims =
        futures::future::join_all((0..10).map(|_| claim::<Reservations>(&house.database, &due.name, due.since, next)))
            .await;
    let won = claims.into_iter().filter(|claim| *claim.as_ref().expect("database")).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn rule_l_two_sweepers_at_once_settle_a_case_once() {
    let house = House::with_units(1).await;
    house.booked(None).await;
    house.wait(601);
    let (first, second) = tokio::join!(house.checkout.sweep_once(), house.checkout.sweep_once());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(house.told().await, ["Held", "Expired"]);
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn a_payment_that_needs_the_payer_says_so_and_waits() {
    let house = House::with_units(1).await;
    let pending = house.booked(Some("action")).await;
    assert_eq!(pending.state().as_str_name(), "PENDING");
    assert_eq!(pending.payment_action.map(|action| action.uri), Some("https://bank.example/3ds".to_owned()));
    house.hears(&pending.name, 1, Outcome::Approved).await;
    let confirmed = house.read(&pending.name).await;
    assert_eq!((confirmed.record.state(), confirmed.record.payment_action), (State::Confirmed, None));
}

#[tokio::test]
async fn a_guest_has_a_bounded_number_of_open_holds() {
    let house = House::with_units(200).await;
    for _ in 0..100 {
        house.booked(None).await;
    }
    assert_eq!(reason(house.book(house.usual(), None).await), "TOO_MANY_HOLDS");
    let other = super::guest_named("bob");
    assert!(house.book_as(&other, house.usual(), None, None).await.is_ok(), "another guest is not in the way");
}
