//! Several replicas of the context on one database: each has its own connections, and nothing else tells them of one another.

use contracts::reservation::v1::GetReservationRequest;
use futures::future::join_all;

use super::*;

/// How many.
const REPLICAS: usize = 4;

impl House {
    /// Replicas of the house's checkout, each with a small pool of its own.
    pub(super) async fn replicas(&self) -> Vec<Checkout<Reservations>> {
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            let database = Database::connect(self.kept.url(), 4).await.expect("a connection");
            replicas.push(Checkout::new(
                Reservations::new(database.clone()),
                database,
                self.till.clone(),
                Settings { max_open_holds: 100, ..Settings::default() },
                self.clock.clone(),
                self.background.clone(),
            ));
        }
        replicas
    }

    /// Each of these stays is booked by a guest of its own, all at once, at one replica after the other.
    async fn book_everywhere(&self, stays: Vec<Stay>) -> Vec<Result<Answer, Error>> {
        let replicas = self.replicas().await;
        let bookings = stays.into_iter().enumerate().map(|(number, stay)| {
            let replica = &replicas[number % REPLICAS];
            async move {
                let caller = guest_named(&format!("guest{number}"));
                let wish = self.wish(stay, &caller).await;
                replica.create(wish, Some("approve".to_owned()), None, &caller).await
            }
        });
        join_all(bookings).await
    }
}

#[tokio::test]
async fn a_last_unit_is_sold_once_over_several_replicas() {
    let house = House::with_units(1).await;
    let outcomes = house.book_everywhere(vec![house.usual(); 120]).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 119));
    for outcome in lost {
        assert_eq!(reason(outcome), "ROOM_UNAVAILABLE");
    }
    assert_eq!((house.taken().await, house.till.charges()), (vec![1, 1], 1));
}

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
    let outcomes = house.book_everywhere(stays.clone()).await;
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
    let mut nights = store::all_nights(house.database.read()).await.expect("database");
    nights.retain(|night| night.taken > 0);
    let taken = nights.into_iter().map(|night| (night.night, night.taken)).collect();
    assert_eq!(sold, taken, "what is taken is what was sold");
}

#[tokio::test]
async fn rule_r_a_request_sent_to_two_replicas_at_once_has_one_answer_however_long_payment_takes() {
    let house = House::with_units(1).await;
    let (replicas, caller) = (house.replicas().await, guest());
    let request = Request::new(&caller, "CreateReservation", "once", &GetReservationRequest::default());
    let wish = house.wish(house.usual(), &caller).await;
    let first = replicas[0].create(wish, Some("gate".to_owned()), request.clone(), &caller);
    let second = async {
        while house.till.asked() == 0 {
            tokio::task::yield_now().await;
        }
        let mut again = Box::pin(replicas[1].replay(request.as_ref(), Some("open"), &caller));
        // Time enough to hear that the till is at work on it.
        let early = tokio::time::timeout(Duration::from_millis(300), &mut again).await;
        assert!(early.is_err(), "it is not waited for: {early:?}");
        house.till.open_gate();
        again.await
    };
    let (first, second) = tokio::join!(first, second);
    let first = resource(first.expect("an answer"));
    assert_eq!(first.state().as_str_name(), "CONFIRMED");
    assert_eq!(resource(second.expect("an answer").expect("it was seen before")), first);
    assert_eq!((house.count().await, house.till.charges()), (1, 1));
}
