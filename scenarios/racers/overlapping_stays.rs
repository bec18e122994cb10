//! Stays of different lengths that overlap in every way.

use std::{collections::BTreeMap, ops::Range};

use proptest::prelude::RngExt;

use super::{dice, guests, inn_that_pays_all_at_once, race};
use crate::support::nights::{night, stay};

const UNITS: i32 = 3;
const RACERS: usize = 150;
/// The nights that all stays are in.
const WINDOW: i32 = 14;

/// What one racer wants: so many units on these nights of the window.
#[derive(Clone, Debug)]
struct Wish {
    nights: Range<i32>,
    units: i32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z1_no_night_is_sold_twice_however_the_stays_overlap() {
    let inn = inn_that_pays_all_at_once().await;
    let room = inn.host("hana").registers_a_room(UNITS).await;
    let mut dice = dice();
    let wishes: Vec<Wish> = (0..RACERS)
        .map(|_| {
            let first = dice.random_range(0..WINDOW);
            let last = dice.random_range(first..WINDOW.min(first + 5));
            Wish { nights: first..last + 1, units: dice.random_range(1..=2) }
        })
        .collect();
    let request = |wish: &Wish| stay(&room, wish.nights.clone(), wish.units, Some("tok_approve"));
    let runners = guests(&inn, RACERS).await.into_iter().zip(&wishes);
    let outcomes = race(runners.map(|(guest, wish)| (guest, request(wish))).collect()).await;

    let mut taken = BTreeMap::from_iter((0..WINDOW).map(|number| (number, 0)));
    for (wish, _) in wishes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()) {
        taken.range_mut(wish.nights.clone()).for_each(|(_, taken)| *taken += wish.units);
    }
    assert!(taken.values().all(|taken| *taken <= UNITS), "{taken:?}");
    assert!(taken.values().any(|taken| *taken == UNITS), "{taken:?}");
    for (wish, outcome) in wishes.iter().zip(&outcomes) {
        let Err(refusal) = outcome else { continue };
        assert_eq!(refusal.reason, reservation::reasons::ROOM_UNAVAILABLE, "{refusal:?}");
        let short: Vec<String> = wish
            .nights
            .clone()
            .filter(|number| taken[number] + wish.units > UNITS)
            .map(|number| night(number).to_string())
            .collect();
        assert!(short.contains(&refusal.metadata["date"]), "{wish:?} was refused by {refusal}; too full are {short:?}");
    }
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), outcomes.iter().flatten().count());
    inn.audit().await;
    inn.close().await;
}
