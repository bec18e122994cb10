//! The allocation against a reference: whatever is asked for in whatever order, no night is ever sold beyond its capacity.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use futures::StreamExt;
use mesh::{Error, checkout::State, db::Engine};
use proptest::prelude::*;
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, QuerySelect, Statement,
    sea_query::{LockBehavior, LockType},
};
use tokio::sync::Notify;

use super::{House, ROOM, caller, create, reason, resource, room, stay, usual};
use crate::{
    audit, convert,
    domain::{Reservation, RoomOffer, Stay},
    store::{self, entity::night},
};

#[tokio::test]
async fn a_last_unit_is_sold_once_to_a_thousand_racers() {
    let house = House::with_units(1).await;
    let racers = (0..1_000).map(|racer| {
        let house = &house;
        async move {
            let caller = caller(&format!("racer{racer}"));
            house.book_as(&caller, usual(), Some("approve")).await
        }
    });
    let outcomes: Vec<_> = futures::stream::iter(racers).buffer_unordered(200).collect().await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert_eq!(lost.len(), 999);
    for outcome in lost {
        assert_eq!(reason(outcome), "ROOM_UNAVAILABLE");
    }
    assert_eq!((house.taken().await, house.till.charges()), (vec![1, 1], 1));
}

#[tokio::test]
async fn a_refused_stay_names_the_first_short_night_and_takes_none() {
    let house = House::with_units(2).await;
    house.book(stay("2027-05-03", "2027-05-04", 2), Some("approve")).await.expect("an answer");
    let refused = house.book(stay("2027-05-01", "2027-05-06", 1), Some("approve")).await;
    let Err(Error::Refused(refusal)) = refused else { panic!("refused: {refused:?}") };
    assert_eq!(refusal.metadata.get("date").map(String::as_str), Some("2027-05-03"));
    assert_eq!(refusal.metadata.get("units_left").map(String::as_str), Some("0"));
    assert_eq!(house.taken().await, [0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn more_units_than_a_column_holds_are_neither_sold_nor_offered() {
    let house = House::with_units(2).await;
    let most = stay("2027-05-01", "2027-05-02", u32::MAX);
    let wish = Reservation { stay: most, ..house.wish(usual(), &caller("alice")).await };
    let sold = create(&house.checkout, wish, None, None, &caller("alice")).await;
    let error = sold.expect_err("no column holds it").to_string();
    assert!(error.contains("4294967295 is more than a column can hold"), "{error}");
    assert_eq!((house.count().await, house.taken().await), (0, vec![0, 0]));
    let offer = RoomOffer { units: u32::MAX, ..house.seller.room.clone() };
    let first = "2027-01-01".parse().expect("date");
    let offer = &offer;
    let reoffered = house.database.transact("offer", |tx| async move { store::reoffer(&tx, offer, first).await });
    let error = reoffered.await.expect_err("no column holds it").to_string();
    assert!(error.contains("4294967295 is more than a column can hold"), "{error}");
    assert_eq!(house.capacities().await, [2, 2]);
}

#[tokio::test]
async fn stays_that_touch_do_not_overlap() {
    let house = House::with_units(1).await;
    for (check_in, check_out) in
        [("2027-05-03", "2027-05-05"), ("2027-05-01", "2027-05-03"), ("2027-05-05", "2027-05-06")]
    {
        let answer = house.book(stay(check_in, check_out, 1), Some("approve")).await;
        assert!(answer.is_ok(), "{check_in} to {check_out}: {answer:?}");
    }
    for (check_in, check_out) in
        [("2027-05-02", "2027-05-04"), ("2027-05-01", "2027-05-06"), ("2027-05-04", "2027-05-05")]
    {
        let answer = house.book(stay(check_in, check_out, 1), Some("approve")).await;
        assert_eq!(reason(answer), "ROOM_UNAVAILABLE", "{check_in} to {check_out}");
    }
}

#[tokio::test]
async fn lowering_units_below_what_is_sold_keeps_the_stays_and_shrinks_as_they_go() {
    let house = House::with_units(3).await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(house.booked(Some("approve")).await);
    }
    house.offer(1, 2).await;
    assert_eq!(house.capacities().await, [3, 3], "what is sold stays sold");
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
    for (cancelled, capacity) in names.iter().zip([2, 1, 1]) {
        resource(house.cancel(cancelled).await.expect("an answer"));
        assert_eq!(house.capacities().await, [capacity, capacity]);
    }
    let last = house.booked(Some("approve")).await;
    assert_eq!(house.state(&last).await, State::Confirmed);
    assert_eq!(reason(house.book(usual(), Some("approve")).await), "ROOM_UNAVAILABLE");
}

/// A stay that has its first night and waits for the second, while somebody who has the second waits for the first. One of them is told to
/// begin again, and does. SQLite has one writer: there the stay waits for its turn.
#[tokio::test]
async fn stays_that_overlap_and_wait_for_one_another_are_both_sold() {
    let house = House::with_units(2).await;
    let (first, second) = (stay("2027-05-01", "2027-05-02", 1), stay("2027-05-02", "2027-05-03", 1));
    house.wish(usual(), &caller("alice")).await;
    let (has_second, is_sold) = (&Notify::new(), &AtomicBool::new(false));
    let stay = async {
        has_second.notified().await;
        let answer = house.book(usual(), Some("approve")).await;
        is_sold.store(true, Ordering::SeqCst);
        answer
    };
    let other = house.database.transact("other", |tx| {
        let house = &house;
        async move {
            tx.expect(store::take(house.seller.room.id, Some(house.seller.room.version), &second)).await?;
            has_second.notify_one();
            while house.database.engine() != Engine::Sqlite
                && !is_sold.load(Ordering::SeqCst)
                && !house.is_locked(&first).await
            {
                tokio::task::yield_now().await;
            }
            tx.expect(store::take(house.seller.room.id, Some(house.seller.room.version), &first)).await
        }
    });
    let (stay, other) = tokio::join!(stay, other);
    other.expect("both nights");
    assert_eq!(resource(stay.expect("an answer")).state().as_str_name(), "CONFIRMED");
    assert_eq!(house.taken().await, [2, 2]);
}

/// Two stays that lock their nights in two orders wait for one another until PostgreSQL ends one of them, a second later.
#[tokio::test]
async fn the_nights_of_a_stay_are_locked_in_their_order_wherever_their_rows_are() {
    let house = House::with_units(2).await;
    if house.database.engine() != Engine::Postgres {
        return;
    }
    let (first, second) = (stay("2027-05-01", "2027-05-02", 1), stay("2027-05-02", "2027-05-03", 1));
    // The row of the second night is the first one in the table, which is so small that it is read as it lies.
    house.wish(second, &caller("alice")).await;
    house.wish(usual(), &caller("alice")).await;
    house.tamper("ANALYZE night").await;
    let (has_first, is_asked) = (&Notify::new(), &Notify::new());
    let other = house.database.transact("other", |tx| async move {
        tx.expect(store::take(ROOM, Some(1), &first)).await?;
        has_first.notify_one();
        is_asked.notified().await;
        Ok(())
    });
    let sold = async {
        has_first.notified().await;
        house.book(usual(), Some("approve")).await
    };
    let looks = async {
        while !house.someone_waits().await {
            tokio::task::yield_now().await;
        }
        let is_locked = house.is_locked(&second).await;
        is_asked.notify_one();
        is_locked
    };
    let (other, sold, is_locked) = tokio::join!(other, sold, looks);
    other.expect("the first night");
    assert!(!is_locked, "the second night was locked before the first one");
    assert_eq!(resource(sold.expect("an answer")).state().as_str_name(), "CONFIRMED");
    assert_eq!(house.taken().await, [2, 1]);
}

#[tokio::test]
async fn the_database_itself_refuses_to_oversell() {
    let house = House::with_units(1).await;
    house.booked(Some("approve")).await;
    let forced = house
        .database
        .transact("force", |tx| async move {
            tx.execute_unprepared("UPDATE night SET taken = taken + 1").await?;
            Ok(())
        })
        .await;
    assert!(forced.is_err(), "the CHECK stands beneath the code");
    assert_eq!(house.taken().await, [1, 1]);
}

/// What a test asks of the house.
#[derive(Clone, Debug)]
enum Ask {
    Book { first: i8, nights: i8, units: u32 },
    Cancel { which: prop::sample::Index },
    Offer { units: i32 },
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = prop_oneof![
        4 => (0_i8..8, 1_i8..5, 1_u32..4).prop_map(|(first, nights, units)| Ask::Book { first, nights, units }),
        2 => any::<prop::sample::Index>().prop_map(|which| Ask::Cancel { which }),
        1 => (1_i32..6).prop_map(|units| Ask::Offer { units }),
    ];
    prop::collection::vec(ask, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_sequence_of_bookings_cancellations_and_offers_oversells(asks in asks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let house = House::with_units(3).await;
            let mut sold: Vec<(String, Stay)> = Vec::new();
            let (mut units_offered, mut version) = (3, 1);
            for ask in asks {
                match ask {
                    Ask::Book { first, nights, units } => {
                        let start = jiff::civil::date(2027, 5, 1).saturating_add(jiff::Span::new().days(first));
                        let stay = Stay { check_in: start, check_out: start.saturating_add(jiff::Span::new().days(nights)), units, guests: 1 };
                        let fits = stay.nights().all(|night| taken_of(&sold, night) + units <= units_offered as u32);
                        match house.book(stay, Some("approve")).await {
                            Ok(answer) => {
                                assert!(fits, "{stay:?} was sold beyond {units_offered} units");
                                sold.push((resource(answer).name, stay));
                            }
                            refused => {
                                assert_eq!(reason(refused), "ROOM_UNAVAILABLE");
                                assert!(!fits, "{stay:?} was refused though it fits");
                            }
                        }
                    }
                    Ask::Cancel { which } if !sold.is_empty() => {
                        let (name, _) = sold.swap_remove(which.index(sold.len()));
                        house.cancel(&name).await.expect("an answer");
                        assert_eq!(house.state(&name).await, State::CancelRequested);
                    }
                    Ask::Cancel { .. } => {}
                    Ask::Offer { units } => {
                        version += 1;
                        units_offered = units;
                        house.offer(units, version).await;
                    }
                }
                let nights = audit::nights(&house.database).await.expect("database");
                for night in nights {
                    let expected = taken_of(&sold, night.night.parse().expect("date"));
                    assert_eq!(night.taken, expected as i32, "{night:?}");
                    assert_eq!(night.capacity, units_offered.max(night.taken), "{night:?}");
                }
            }
        });
    }
}

fn taken_of(sold: &[(String, Stay)], night: jiff::civil::Date) -> u32 {
    sold.iter().filter(|(_, stay)| stay.check_in <= night && night < stay.check_out).map(|(_, stay)| stay.units).sum()
}

impl House {
    /// Whether somebody has that night's row.
    async fn is_locked(&self, night: &Stay) -> bool {
        let row = night::Entity::find_by_id((self.seller.room.id, night.check_in.to_string()));
        let locked = row.lock_with_behavior(LockType::Update, LockBehavior::Nowait).one(self.database.read()).await;
        locked.is_err()
    }

    /// Whether a statement waits for a lock.
    async fn someone_waits(&self) -> bool {
        let waiting = Statement::from_string(
            DbBackend::Postgres,
            "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        self.database.read().query_one_raw(waiting).await.expect("database").is_some()
    }

    /// The host offers another number of units.
    async fn offer(&self, units: i32, version: i64) {
        let resource = room(units, version);
        let told = &resource;
        self.database
            .transact("offer", |tx| async move {
                store::learn(&tx, told, false).await?;
                let room = convert::room_offer(told).expect("room");
                store::reoffer(&tx, &room, "2027-01-01".parse().expect("date")).await
            })
            .await
            .expect("offered");
    }

    async fn capacities(&self) -> Vec<i32> {
        let nights = audit::nights(&self.database).await.expect("database");
        nights
            .into_iter()
            .map(|night| (night.night, night.capacity))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }
}
