//! What is heard of rooms, in any order and any number, ends in the same offer.

use contracts::room::v1::{
    NightsBlocked, Room, RoomCreated, RoomDeleted, RoomUpdated,
    nights_blocked::Night,
    room::{OnReserved, State},
};
use jiff::SignedDuration;
use mesh::{Actor, Event, clock::to_proto, context::Policies as _};
use proptest::prelude::*;
use prost::{Message, Name};

use super::{House, front_desk::FrontDesk, now, reason, room, stay, usual};
use crate::{audit, policies::Policies, rooms::Rooms, store};

pub fn event<M: Message + Name>(version: i64, message: &M) -> Event {
    let actor = Actor::context("room", "case");
    Event::new("room", "room", room(1, version).name, version.unsigned_abs(), now(), &actor, message)
}

fn blocked(version: i64, units: i32, night: &str, blocked: i32) -> Event {
    let nights = vec![Night { date: night.to_owned(), units_blocked: Some(blocked) }];
    event(version, &NightsBlocked { room: Some(room(units, version)), nights, ..NightsBlocked::default() })
}

fn removed(version: i64) -> Room {
    Room { state: State::Deleted.into(), delete_time: Some(to_proto(now())), ..room(1, version) }
}

fn deleted_with_its_stays(version: i64) -> Event {
    gone_with_its_stays(removed(version))
}

fn gone_with_its_stays(room: Room) -> Event {
    let mut message = RoomDeleted { room: Some(room.clone()), ..RoomDeleted::default() };
    message.set_on_reserved(OnReserved::Cancel);
    event(room.version, &message)
}

/// The rooms whose stays are still to be cancelled.
async fn left_to_do(house: &House) -> Vec<uuid::Uuid> {
    store::deleted_with_stays(house.database.read(), None, 10).await.expect("database")
}

pub fn policies(house: &House) -> Policies {
    let desk = FrontDesk::closed(Ok(room(1, 1)));
    let rooms = Rooms::new(house.database.clone(), desk.upstream(), house.clock.clone());
    Policies::new(house.checkout.clone(), rooms, house.database.clone(), house.clock.clone())
}

pub async fn hear(house: &House, policies: &Policies, event: &Event) {
    house
        .database
        .transact("hear", |tx| async move { policies.clone().hearing().handle(&tx, event).await.map(|_| ()) })
        .await
        .expect("heard");
}

/// A short life of a room: raised, a night kept back, lowered, another night kept back.
fn history() -> Vec<Event> {
    vec![
        event(1, &RoomCreated { room: Some(room(2, 1)) }),
        event(2, &RoomUpdated { room: Some(room(5, 2)) }),
        blocked(3, 5, "2027-05-01", 4),
        event(4, &RoomUpdated { room: Some(room(3, 4)) }),
        blocked(5, 3, "2027-05-01", 1),
        blocked(6, 3, "2027-05-02", 3),
    ]
}

#[tokio::test]
async fn a_room_that_is_kept_back_cannot_be_taken() {
    let house = House::with_units(2).await;
    let policies = policies(&house);
    hear(&house, &policies, &blocked(2, 2, "2027-05-02", 2)).await;
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
    hear(&house, &policies, &blocked(3, 2, "2027-05-02", 1)).await;
    house.booked(Some("approve")).await;
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
}

#[tokio::test]
async fn a_removed_room_takes_no_more_and_its_stays_are_refunded_in_full_if_it_says_so() {
    let house = House::with_units(2).await;
    let policies = policies(&house);
    let paid = house.booked(Some("approve")).await;
    let held = house.booked(None).await;
    hear(&house, &policies, &deleted_with_its_stays(2)).await;
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
    policies.cancel_stays_of_removed_rooms().await.expect("cancelled");
    let cancelled = house.read(&paid).await;
    assert_eq!(cancelled.record.state().name(), "CANCEL_REQUESTED");
    assert_eq!(cancelled.record.refund_amount, Some(cancelled.price.total));
    assert_eq!(house.state(&held).await.name(), "CANCELLED");
    assert_eq!(house.taken().await, [0, 0]);
}

#[tokio::test]
async fn a_removed_room_gives_everything_back_for_stays_that_have_begun_and_nothing_for_those_that_are_over() {
    let house = House::with_units(60).await;
    let policies = policies(&house);
    let books = async |check_in: &str, check_out: &str, token: Option<&str>| {
        let answer = house.book(stay(check_in, check_out, 1), token).await;
        super::resource(answer.expect("an answer")).name
    };
    let mut over = Vec::new();
    // More of them than are taken up at a time.
    for _ in 0..51 {
        over.push(books("2027-05-01", "2027-05-02", Some("approve")).await);
    }
    let begun = books("2027-05-01", "2027-05-03", Some("approve")).await;
    let ahead = books("2027-05-10", "2027-05-11", Some("approve")).await;
    // Eleven of the second of May, to the microsecond: the first guests have just left.
    let left = house.read(&over[0]).await.record.earn_time;
    house.clock.advance(left.duration_since(house.clock.now()));
    let held = books("2027-05-02", "2027-05-03", None).await;
    assert_eq!(reason(house.cancel(&begun).await), "CANCELLATION_CLOSED", "to everybody else");
    let gone = Room { delete_time: Some(to_proto(house.clock.now())), ..removed(2) };
    hear(&house, &policies, &gone_with_its_stays(gone)).await;

    // However late it is when that is seen to.
    house.clock.advance(SignedDuration::from_hours(48));
    policies.cancel_stays_of_removed_rooms().await.expect("cancelled");
    for name in [&begun, &ahead] {
        let stay = house.read(name).await;
        assert_eq!(stay.record.state().name(), "CANCEL_REQUESTED");
        assert_eq!(stay.record.refund_amount, Some(stay.price.total));
    }
    assert_eq!(house.state(&held).await.name(), "CANCELLED");
    for name in &over {
        assert_eq!(house.state(name).await.name(), "CONFIRMED");
    }
    assert!(left_to_do(&house).await.is_empty(), "they are not looked at for ever");
}

#[tokio::test]
async fn a_room_that_is_known_to_be_removed_has_its_stays_cancelled_once_it_says_so() {
    let house = House::with_units(1).await;
    let policies = policies(&house);
    let paid = house.booked(Some("approve")).await;
    // Asked about before its deletion is heard of.
    let gone = &removed(2);
    let learned = house.database.transact("ask", |tx| async move { store::learn(&tx, gone, false).await });
    learned.await.expect("learned");
    policies.cancel_stays_of_removed_rooms().await.expect("looked");
    assert_eq!(house.state(&paid).await.name(), "CONFIRMED");

    for _ in 0..2 {
        hear(&house, &policies, &deleted_with_its_stays(2)).await;
        policies.cancel_stays_of_removed_rooms().await.expect("cancelled");
        assert_eq!(house.state(&paid).await.name(), "CANCEL_REQUESTED");
        assert!(left_to_do(&house).await.is_empty(), "a replay is looked at once");
    }
}

#[tokio::test]
async fn a_removed_room_keeps_its_stays_if_it_says_nothing() {
    let house = House::with_units(1).await;
    let policies = policies(&house);
    let paid = house.booked(Some("approve")).await;
    hear(&house, &policies, &event(2, &RoomDeleted { room: Some(removed(2)), ..RoomDeleted::default() })).await;
    policies.cancel_stays_of_removed_rooms().await.expect("looked");
    assert_eq!(house.state(&paid).await.name(), "CONFIRMED");
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
}

#[tokio::test]
async fn an_event_of_an_unknown_kind_is_told_apart() {
    let house = House::with_units(1).await;
    let policies = policies(&house);
    let mut strange = event(1, &Room::default());
    strange.route = "jumak.room.v1.paint.dried".to_owned();
    let strange = &strange;
    let policies = &policies;
    let handled = house
        .database
        .transact("hear", |tx| async move { policies.clone().hearing().handle(&tx, strange).await })
        .await;
    assert_eq!(handled.ok(), Some(mesh::context::Handled::Unknown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rooms_heard_in_any_order_and_number_end_in_the_same_offer(
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(0..6_usize, 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let house = House::with_units(1).await;
            let policies = policies(&house);
            let history = history();
            for at in order.into_iter().chain(again) {
                hear(&house, &policies, &history[at]).await;
            }
            let known = store::read_room(house.database.read(), house.seller.room.id).await.expect("database").expect("room");
            assert_eq!((known.version, known.units), (6, 3));
            let mut nights = audit::nights(&house.database).await.expect("database");
            nights.sort_by(|a, b| a.night.cmp(&b.night));
            let offers: Vec<_> = nights.iter().map(|night| (night.night.as_str(), night.offered, night.capacity)).collect();
            assert_eq!(offers, [("2027-05-01", 2, 2), ("2027-05-02", 0, 0)]);
        });
    }
}
