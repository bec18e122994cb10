//! Many units, and more who want some of them.

use contracts::{
    provider::v1::charge,
    reservation::v1::{CreateReservationRequest, QuoteReservationRequest, Reservation},
    room::v1::Room,
};
use proptest::prelude::RngExt;

use super::{dice, guests, inn_that_pays_all_at_once, insists, race, units_left};
use crate::support::{Person, nights::stay};

const UNITS: i32 = 50;
const RACERS: usize = 300;

fn wish(room: &Room, units: i32) -> CreateReservationRequest {
    stay(room, 0..2, units, Some("tok_approve"))
}

async fn left(guest: &Person, room: &Room) -> i32 {
    let request = QuoteReservationRequest { reservation: wish(room, 1).reservation };
    let quote = guest.reservations().quote_reservation(request).await.expect("a quote").into_inner();
    quote.units_left.expect("the units left")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_no_more_is_sold_than_there_is_and_nobody_is_refused_what_is_left() {
    let inn = inn_that_pays_all_at_once().await;
    let room = inn.host("hana").registers_a_room(UNITS).await;
    let mut dice = dice();
    let wishes: Vec<i32> = (0..RACERS).map(|_| dice.random_range(1..=3)).collect();
    let runners = guests(&inn, RACERS).await.into_iter().zip(&wishes);
    let runners = runners.map(|(guest, units)| (guest, wish(&room, *units))).collect();

    let outcomes = race(runners).await;
    let sold: i32 = outcomes.iter().flatten().map(Reservation::units).sum();
    let left_over = UNITS - sold;
    assert!((0..3).contains(&left_over), "{sold} of {UNITS} units are sold");
    for (outcome, wish) in outcomes.iter().zip(&wishes) {
        // What is held here is never given back, so what was too much then is too much now.
        if let Err(refusal) = outcome {
            assert!(left_over < *wish, "{wish} units were refused, and {left_over} are left: {refusal}");
            assert!(units_left(refusal) < *wish, "{refusal}");
        }
    }

    let last = inn.guest("late");
    assert_eq!(left(&last, &room).await, left_over);
    if left_over > 0 {
        insists(&last, &wish(&room, left_over)).await.expect("what is left");
    }
    assert_eq!(units_left(&insists(&last, &wish(&room, 1)).await.expect_err("sold out")), 0);

    let bookings = outcomes.iter().flatten().count() + usize::from(left_over > 0);
    let (charges, refunds) = inn.provider_books().await;
    assert_eq!(charges.len(), bookings);
    assert!(charges.iter().all(|charge| charge.state() == charge::State::Charged), "{charges:#?}");
    assert_eq!(refunds, []);
    inn.audit().await;
    inn.close().await;
}
