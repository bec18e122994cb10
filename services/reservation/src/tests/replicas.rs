//! Several replicas of the context on one database: each has its own connections, and nothing else tells them of one another.

use futures::future::join_all;

use super::*;

/// How many.
const REPLICAS: usize = 4;

#[tokio::test]
async fn stays_that_overlap_in_every_way_are_sold_or_refused_and_none_waits_for_ever() {
    let house = House::with_units(10).await;
    // Every stay of one to four nights within a week, three times: each night is in many, and they begin in any order.
    let start = jiff::civil::date(2027, 5, 1);
    let day = |number: i8| start.saturating_add(jiff::Span::new().days(number));
    let mut stays = Vec::new();
    for (first, nights) in (0..7).flat_map(|first| (1..=4).map(move |nights| (first, nights))) {
        for _ in 0..3 {
            stays.push(Stay { check_in: day(first), check_out: day(first + nights), units: 1, guests: 1 });
        }
    }
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(house.replica().await);
    }
    let bookings = stays.iter().enumerate().map(|(number, stay)| {
        let (replica, house) = (&replicas[number % REPLICAS], &house);
        async move {
            let caller = caller(&format!("guest{number}"));
            let wish = house.wish(*stay, &caller).await;
            create(replica, wish, Some("approve"), None, &caller).await
        }
    });
    let outcomes = join_all(bookings).await;
    let mut sold = std::collections::BTreeMap::<String, i32>::new();
    for (stay, outcome) in stays.iter().zip(outcomes) {
        if outcome.is_ok() {
            for night in stay.nights() {
                *sold.entry(night.to_string()).or_default() += 1;
            }
        } else {
            assert_eq!(reason(outcome), "ROOM_UNAVAILABLE");
        }
    }
    assert!(sold.values().any(|units| *units == 10), "a night is sold out: {sold:?}");
    let mut nights = audit::nights(&house.database).await.expect("database");
    nights.retain(|night| night.taken > 0);
    let taken = nights.into_iter().map(|night| (night.night, night.taken)).collect();
    assert_eq!(sold, taken, "what is taken is what was sold");
}
