//! Any order, any duplication, any replay of the events ends in the same read model.

use contracts::mypage::v1::{Booking, GetTimelineResponse, MyPage};
use mesh::Event;
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    ALICE, BOB, HOST, House,
    history::{Plot, Story, room_story},
};
use crate::audit::{self, BookingRow, PartyRow};

const USERS: [&str; 4] = [ALICE, BOB, HOST, "users/nobody"];

/// All that anybody is shown.
#[derive(Debug, PartialEq)]
struct Everything {
    pages: Vec<MyPage>,
    bookings: Vec<Vec<Booking>>,
    timelines: Vec<GetTimelineResponse>,
    audited: Vec<BookingRow>,
}

async fn everything(house: &House) -> Everything {
    let mut shown = Everything {
        pages: Vec::new(),
        bookings: Vec::new(),
        timelines: Vec::new(),
        audited: audit::bookings(&house.database).await.expect("audited").into_iter().map(whenever).collect(),
    };
    for user in USERS {
        let bookings = house.bookings(user).await;
        for booking in &bookings {
            shown.timelines.push(house.timeline(user, &booking.case).await.expect("a timeline"));
        }
        shown.bookings.push(bookings);
        // How many changes it took is another matter in each order.
        shown.pages.push(MyPage { position: String::new(), ..house.page(user).await });
    }
    shown
}

/// A row without when, and how often, it was changed: that is another matter in each order.
fn whenever(row: BookingRow) -> BookingRow {
    BookingRow { party: PartyRow { position: 0, update_time: 0, ..row.party }, ..row }
}

/// Some reservations of two guests, one of whom also takes guests, and two rooms.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    let party = prop::sample::select(vec![(ALICE, HOST), (BOB, HOST), (ALICE, BOB), (BOB, BOB)]);
    let story = (party, 0..2_usize, 0..3_u32, prop::sample::select(Plot::ALL.to_vec()));
    (prop::collection::vec(story, 1..5), 0..5_usize, 0..5_usize).prop_map(|(stories, first, second)| {
        let rooms = [Uuid::now_v7(), Uuid::now_v7()];
        let mut events = room_story(HOST, rooms[0], first);
        events.extend(room_story(BOB, rooms[1], second));
        for (minute, ((guest, host), room, declined, plot)) in stories.into_iter().enumerate() {
            let minute = i64::try_from(minute).expect("few");
            events.extend(Story::whole(guest, host, rooms[room], minute, declined, plot).events);
        }
        events
    })
}

/// A history, and another delivery of it: in any order, some of it twice, in batches of some size.
fn deliveries() -> impl Strategy<Value = (Vec<Event>, Vec<Event>, usize)> {
    histories().prop_flat_map(|history| {
        let again = prop::sample::subsequence(history.clone(), 0..=history.len());
        (Just(history), again, 1..9_usize).prop_flat_map(|(history, again, batch)| {
            let delivered = [history.clone(), again].concat();
            (Just(history), Just(delivered).prop_shuffle(), Just(batch))
        })
    })
}

async fn hear_all(house: &House, batches: &[&[Event]]) {
    for batch in batches {
        house.hear(batch).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_delivery_of_a_history_shows_the_same((history, delivered, batch) in deliveries()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (in_order, in_any, replayed) = runtime.block_on(async {
            let house = House::open().await;
            house.hear(&history).await;
            let in_order = everything(&house).await;

            // A database that was thrown away hears the whole history again.
            let rebuilt = House::open().await;
            // Two members of the consumer share the work.
            let batches: Vec<_> = delivered.chunks(batch).collect();
            let (first, second) = batches.split_at(batches.len() / 2);
            tokio::join!(hear_all(&rebuilt, first), hear_all(&rebuilt, second));
            let in_any = everything(&rebuilt).await;
            rebuilt.hear(&history).await;
            (in_order, in_any, everything(&rebuilt).await)
        });
        prop_assert_eq!(&in_any, &in_order);
        prop_assert_eq!(&replayed, &in_order);
    }
}

#[tokio::test]
async fn a_payment_that_is_heard_of_first_is_shown_with_its_reservation() {
    let house = House::open().await;
    let mut story = Story::held(ALICE, HOST, Uuid::now_v7(), 0);
    story.confirmed();
    let [held, approved, confirmed] = story.events.as_slice() else { panic!("three events") };

    house.hear(std::slice::from_ref(approved)).await;
    assert!(house.bookings(ALICE).await.is_empty(), "nobody has told yet whose it is");
    house.hear(std::slice::from_ref(held)).await;
    let booking = house.booking(ALICE, &story.name()).await.expect("a booking");
    assert_eq!((booking.state.as_str(), booking.payment_state.as_str()), ("PENDING", "APPROVED"));
    house.hear(std::slice::from_ref(confirmed)).await;
    let booking = house.booking(ALICE, &story.name()).await.expect("a booking");
    assert_eq!((booking.state.as_str(), booking.version), ("CONFIRMED", 2));
}

#[tokio::test]
async fn the_payment_shown_is_that_of_the_latest_attempt() {
    let house = House::open().await;
    let mut story = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 1, Plot::Held);
    house.hear(&story.events).await;
    assert_eq!(house.booking(ALICE, &story.name()).await.expect("a booking").payment_state, "DECLINED");
    let heard = story.events.len();
    story.cancelled_after_paying();
    house.hear(&story.events[heard..]).await;
    house.hear(&story.events[..heard]).await;
    let booking = house.booking(ALICE, &story.name()).await.expect("a booking");
    assert_eq!(booking.payment_state, "REFUNDED");
    assert_eq!(booking.refunded.map(|money| money.units), Some(180_000));
}
