//! A host takes units out of sale while they are being sold.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use contracts::{
    reservation::v1::{QuoteReservationRequest, Reservation},
    room::v1::{Room, UpdateRoomRequest},
};
use mesh::Refusal;
use tokio::task::JoinSet;

use super::{guests, inn_that_pays_all_at_once, insists, units_left};
use crate::support::{Person, eventually, nights::two_nights};

/// Before and after.
const UNITS: i32 = 20;
const LOWERED: i32 = 5;
/// Guests at once, and how many follow one another in each place.
const LANES: usize = 4;
const PER_LANE: usize = 12;

/// The guests of one lane, one after the other.
async fn lane(people: Vec<Person>, room: Room, sold: Arc<AtomicUsize>) -> Vec<(Person, Result<Reservation, Refusal>)> {
    let mut outcomes = Vec::with_capacity(people.len());
    for person in people {
        let outcome = insists(&person, &two_nights(&room, Some("tok_approve"))).await;
        sold.fetch_add(usize::from(outcome.is_ok()), Ordering::SeqCst);
        outcomes.push((person, outcome));
    }
    outcomes
}

async fn left(guest: &Person, room: &Room) -> i32 {
    let request = QuoteReservationRequest { reservation: two_nights(room, None).reservation };
    let quote = guest.reservations().quote_reservation(request).await.expect("a quote").into_inner();
    quote.units_left.expect("the units left")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_units_lowered_below_what_is_sold_shrink_as_stays_are_cancelled() {
    let inn = inn_that_pays_all_at_once().await;
    let host = inn.host("hana");
    let room = host.registers_a_room(UNITS).await;
    let sold = Arc::new(AtomicUsize::new(0));
    let mut people = guests(&inn, LANES * PER_LANE).await;
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(lane(people.split_off(people.len() - PER_LANE), room.clone(), sold.clone()));
    }

    eventually("some more are sold than will be offered", || async {
        (sold.load(Ordering::SeqCst) > LOWERED.unsigned_abs() as usize).then_some(())
    })
    .await;
    let lowered = Room { name: room.name.clone(), units: Some(LOWERED), ..Room::default() };
    let request = UpdateRoomRequest { room: Some(lowered), ..UpdateRoomRequest::default() };
    let updated = host.rooms().update_room(request).await.expect("an update").into_inner();
    assert_eq!(updated.units, Some(LOWERED));

    let outcomes: Vec<_> = lanes.join_all().await.into_iter().flatten().collect();
    let mut stays: Vec<(Person, Reservation)> = Vec::new();
    for (person, outcome) in outcomes {
        match outcome {
            Ok(stay) => stays.push((person, stay)),
            Err(refusal) => assert_eq!(units_left(&refusal), 0),
        }
    }
    assert!((LOWERED..=UNITS).contains(&i32::try_from(stays.len()).unwrap_or(i32::MAX)), "{} are sold", stays.len());

    // What is sold stays sold, and nothing more is.
    let late = inn.guest("late");
    eventually("the new number is known", || async { (left(&late, &room).await == 0).then_some(()) }).await;
    let refusal = insists(&late, &two_nights(&room, Some("tok_approve"))).await.expect_err("sold out");
    assert_eq!(units_left(&refusal), 0);
    inn.audit().await;

    // A stay that is cancelled frees a unit only once fewer are sold than are offered.
    while let Some((guest, stay)) = stays.pop() {
        guest.cancels(&stay.name).await.expect("a cancellation");
        let remaining = i32::try_from(stays.len()).unwrap_or(i32::MAX);
        assert_eq!(left(&late, &room).await, (LOWERED - remaining).max(0), "{remaining} are sold");
        if remaining == LOWERED - 1 {
            break;
        }
    }
    insists(&late, &two_nights(&room, Some("tok_approve"))).await.expect("the one unit that is free");
    let refusal = insists(&late, &two_nights(&room, Some("tok_approve"))).await.expect_err("sold out again");
    assert_eq!(units_left(&refusal), 0);
    inn.audit().await;
    inn.close().await;
}
