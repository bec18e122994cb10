//! Steps of a context's own on a CONFIRMED case. A hotel has none; here a guest arrives.

use contracts::reservation::v1::{CancelReservationRequest, GetReservationRequest, ReservationHeld};
use futures::future::join_all;
use mesh::checkout::{Case, Progress, Told};

use super::*;
use crate::{domain::GuestDetails, events};

const ARRIVED: &str = "arrived";

/// The step: there is nothing to do for a guest who has arrived, and one who is told not to come cannot.
fn arrive(stay: &mut Reservation) -> Result<Option<Told<Reservation>>, Error> {
    let details = stay.guest_details.get_or_insert_with(GuestDetails::default);
    if details.note == ARRIVED {
        return Ok(None);
    }
    details.note = ARRIVED.to_owned();
    Ok(Some(|stay, actor| events::new(stay, actor, &ReservationHeld { reservation: Some(convert::for_event(stay)) })))
}

fn has_arrived(stay: &Reservation) -> bool {
    stay.guest_details.as_ref().is_some_and(|details| details.note == ARRIVED)
}

impl House {
    async fn arrives(&self, name: &str, request: Option<Request>) -> Result<Answer, Error> {
        arrives_at(&self.checkout, name, request).await
    }

    async fn hears_of_arrival(&self, name: &str) -> Progress<Reservation> {
        let (checkout, actor) = (&self.checkout, &Actor::context("delivery", "another"));
        let heard = self
            .database
            .transact("hear", |tx| async move { checkout.progress_in(&tx, name, &Scope::All, actor, arrive).await });
        heard.await.expect("heard")
    }
}

async fn arrives_at(checkout: &Checkout<Reservations>, name: &str, request: Option<Request>) -> Result<Answer, Error> {
    checkout.progress(name, Scope::All, request, &guest().actor(), arrive).await
}

#[tokio::test]
async fn a_step_is_written_and_told_once_and_leaves_the_lifecycle_as_it_was() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let before = house.read(&paid.name).await;
    house.wait(60);
    let answer = resource(house.arrives(&paid.name, None).await.expect("an answer"));
    assert_eq!((answer.version, answer.guest_details.expect("details").note.as_str()), (paid.version + 1, ARRIVED));
    let after = house.read(&paid.name).await;
    let mut expected = before.clone();
    expected.record.version += 1;
    expected.record.update_time = house.clock.now();
    arrive(&mut expected).expect("a step");
    assert_eq!(after, expected);
    assert_eq!(house.told().await, ["Held", "Confirmed", "Held"]);

    // And the cancellation goes on from there.
    house.cancel(&paid.name).await.expect("an answer");
    assert_eq!(house.state(&paid.name).await, State::CancelRequested);
    assert!(has_arrived(&house.read(&paid.name).await));
}

#[tokio::test]
async fn a_step_that_is_heard_twenty_times_at_once_is_one() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let heard = join_all((0..20).map(|_| house.hears_of_arrival(&paid.name))).await;
    let taken = heard.iter().filter(|progress| matches!(progress, Progress::Taken(_))).count();
    let nothing = heard.iter().filter(|progress| matches!(progress, Progress::Nothing(_))).count();
    assert_eq!((taken, nothing), (1, 19));
    assert_eq!(house.read(&paid.name).await.record.version, paid.version + 1);
    assert_eq!(house.told().await, ["Held", "Confirmed", "Held"]);
}

#[tokio::test]
async fn a_step_belongs_to_its_business_case_whoever_brings_it() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    house.hears_of_arrival(&paid.name).await;
    let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(house.database.read()).await;
    let last = rows.expect("database").pop().expect("an event");
    assert_eq!((last.sequence, last.correlation_id.as_str()), (paid.version + 1, "case"));
    assert_eq!(last.actor, "contexts/delivery");
}

#[tokio::test]
async fn a_request_for_a_step_is_answered_the_same_however_often_it_is_sent() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let asks = GetReservationRequest { name: paid.name.clone() };
    let request = || Request::new(&guest(), "Arrive", "once", &asks);
    let first = resource(house.arrives(&paid.name, request()).await.expect("an answer"));
    house.cancel(&paid.name).await.expect("an answer");
    let again = resource(house.arrives(&paid.name, request()).await.expect("what was answered then"));
    assert_eq!(again, first);
    let other = Request::new(&guest(), "Arrive", "once", &CancelReservationRequest::default());
    assert_eq!(reason(house.arrives(&paid.name, other).await), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn nothing_goes_on_that_is_not_confirmed() {
    let house = House::with_units(4).await;
    let pending = house.booked(None).await.name;
    let (cancelled, requested) = (house.booked(None).await.name, house.booked(Some("approve")).await.name);
    house.cancel(&cancelled).await.expect("an answer");
    house.cancel(&requested).await.expect("an answer");
    assert_eq!(reason(house.book(house.usual(), Some("decline")).await), "PAYMENT_DECLINED");
    let rejected = house.newest().await.record.name;
    let told = house.told().await;
    for (name, state) in [
        (pending, State::Pending),
        (cancelled, State::Cancelled),
        (requested, State::CancelRequested),
        (rejected, State::Rejected),
    ] {
        let before = house.read(&name).await;
        assert_eq!(before.record.state(), state);
        let Err(Error::Refused(refusal)) = house.arrives(&name, None).await else { panic!("{state:?} goes on") };
        assert_eq!(refusal.reason.as_str(), "ILLEGAL_TRANSITION");
        assert_eq!(refusal.metadata["from"], state.name());
        assert_eq!(refusal.metadata["case"], name);
        assert_eq!(house.hears_of_arrival(&name).await, Progress::NotConfirmed(before.clone()));
        assert_eq!(house.read(&name).await, before);
    }
    assert_eq!(house.told().await, told);
}

#[tokio::test]
async fn a_step_that_is_refused_leaves_nothing_behind_and_its_request_may_try_again() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let before = house.read(&paid.name).await;
    let request = Request::new(&guest(), "Arrive", "once", &GetReservationRequest::default());
    let refuse = |stay: &mut Reservation| {
        arrive(stay)?;
        Err(mesh::Refusal::new(mesh::Reason::IllegalTransition, "the door is locked").into())
    };
    let refused = house.checkout.progress(&paid.name, Scope::All, request.clone(), &guest().actor(), refuse).await;
    assert_eq!(reason(refused), "ILLEGAL_TRANSITION");
    assert_eq!(house.read(&paid.name).await, before);
    resource(house.arrives(&paid.name, request).await.expect("an answer"));
}

#[tokio::test]
async fn a_step_cannot_reach_into_the_lifecycle() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let reach = |stay: &mut Reservation| {
        stay.record_mut().standing.state = State::Cancelled;
        stay.record_mut().orphans = 7;
        stay.record_mut().version = 70;
        arrive(stay)
    };
    house.checkout.progress(&paid.name, Scope::All, None, &guest().actor(), reach).await.expect("an answer");
    let record = house.read(&paid.name).await.record;
    assert_eq!((record.state(), record.orphans, record.version), (State::Confirmed, 0, paid.version + 1));
}

#[tokio::test]
async fn a_stranger_finds_no_case_to_go_on_with() {
    let house = House::with_units(1).await;
    let paid = house.booked(Some("approve")).await;
    let scope = Scope::Payer("users/mallory".to_owned());
    let refused = house.checkout.progress(&paid.name, scope, None, &guest().actor(), arrive).await;
    assert_eq!(reason(refused), "RESERVATION_NOT_FOUND");
    assert_eq!(house.told().await, ["Held", "Confirmed"]);
}

#[tokio::test]
async fn a_step_and_a_cancellation_at_once_happen_one_after_the_other() {
    let house = House::with_units(1).await;
    let replicas = house.replicas().await;
    for round in 0..30 {
        let (paid, before) = (house.booked(Some("approve")).await, house.told().await.len());
        let cancels = Cancels { asks: Asks::User("users/alice"), cause: None, reason: "" };
        let actor = guest().actor();
        let step = arrives_at(&replicas[0], &paid.name, None);
        let cancel = replicas[1].cancel(&paid.name, Scope::All, cancels, None, &actor);
        // Polled in turn to begin with the one or the other.
        let (step, cancel) = if round % 2 == 0 {
            tokio::join!(biased; step, cancel)
        } else {
            let (cancel, step) = tokio::join!(biased; cancel, step);
            (step, cancel)
        };
        cancel.expect("an answer");
        let stay = house.read(&paid.name).await;
        assert_eq!(stay.record.state(), State::CancelRequested, "the cancellation is lost to nobody");
        let told = house.told().await.split_off(before);
        match step {
            Ok(_) => assert_eq!(told, ["Held", "CancelRequested"]),
            refused => {
                assert_eq!(reason(refused), "ILLEGAL_TRANSITION");
                assert_eq!(told, ["CancelRequested"]);
            }
        }
        assert_eq!(has_arrived(&stay), told.len() == 2);
        assert_eq!(house.taken().await, [0, 0]);
    }
}
