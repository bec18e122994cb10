//! Following a user's bookings.

use std::{collections::BTreeMap, time::Duration};

use contracts::mypage::v1::{Booking, WatchMyPageRequest, WatchMyPageResponse, my_page_service_server::MyPageService};
use mesh::{Event, Reason, page::PageTokens, watch::Following};
use tokio_stream::StreamExt;
use uuid::Uuid;

use super::{
    ALICE, BOB, HOST, House, by,
    history::{Plot, Story},
    reason,
};
use crate::{reasons, watch::Positions};

async fn next(stream: &mut Following<WatchMyPageResponse>) -> (Booking, String) {
    let message = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.expect("in time");
    let message = message.expect("a message").expect("no error");
    (message.booking.expect("a booking"), message.position)
}

/// Several reservations of one guest, their events taken in turns.
fn interleaved() -> Vec<Event> {
    let mut stories: Vec<_> = (0..)
        .zip(Plot::ALL)
        .map(|(minute, plot)| Story::whole(ALICE, HOST, Uuid::now_v7(), minute, 1, plot).events.into_iter())
        .collect();
    let mut events = Vec::new();
    while stories.iter().any(|story| story.len() > 0) {
        events.extend(stories.iter_mut().filter_map(Iterator::next));
    }
    events
}

#[tokio::test]
async fn a_watch_begins_with_what_is_open_and_goes_on_with_every_change() {
    let house = House::open().await;
    let cancelled = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 0, Plot::Cancelled);
    let mut open = Story::held(ALICE, HOST, Uuid::now_v7(), 1);
    house.hear(&cancelled.events).await;
    house.hear(&open.events).await;

    let mut stream = house.watch(ALICE, "").await.expect("a watch");
    let (first, _) = next(&mut stream).await;
    assert_eq!((first.case.as_str(), first.state.as_str()), (open.name().as_str(), "PENDING"));
    open.confirmed();
    house.hear(&open.events).await;
    let (second, _) = next(&mut stream).await;
    assert_eq!((second.state.as_str(), second.payment_state.as_str()), ("CONFIRMED", "APPROVED"));
    // Also what ends is told.
    open.cancelled_after_paying();
    house.hear(&open.events).await;
    assert_eq!(next(&mut stream).await.0.state, "CANCELLED");
}

#[tokio::test]
async fn a_dropped_watch_is_taken_up_again_without_a_gap_and_without_a_repeat() {
    let house = House::open().await;
    let events = interleaved();
    let mut shown: BTreeMap<String, Booking> = BTreeMap::new();
    let watching = async {
        let mut position = String::new();
        // Each stream is dropped after three messages, whatever else it had under way.
        loop {
            let mut stream = house.watch(ALICE, &position).await.expect("a watch");
            for _ in 0..3 {
                let (booking, reached) = next(&mut stream).await;
                position = reached;
                let repeated = shown.insert(booking.case.clone(), booking.clone()) == Some(booking);
                assert!(!repeated, "each message tells something new");
                if shown.len() == Plot::ALL.len() && finished(&shown) {
                    return position;
                }
            }
        }
    };
    // Two members of the consumer share the work.
    let member = async |first: usize| {
        for event in events.iter().skip(first).step_by(2) {
            house.hear(std::slice::from_ref(event)).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (position, (), ()) = tokio::join!(watching, member(0), member(1));

    let stands: BTreeMap<_, _> =
        house.bookings(ALICE).await.into_iter().map(|booking| (booking.case.clone(), booking)).collect();
    assert_eq!(shown, stands);
    let mut rest = house.watch(ALICE, &position).await.expect("a watch");
    let silence = tokio::time::timeout(Duration::from_millis(100), rest.next()).await;
    assert!(silence.is_err(), "all has been told: {silence:?}");
}

/// Whether every plot has come to its end.
fn finished(shown: &BTreeMap<String, Booking>) -> bool {
    let mut ends: Vec<_> =
        shown.values().map(|it| format!("{} {} {}", it.state, it.payment_state, it.version)).collect();
    ends.sort();
    let mut expected = [
        "PENDING DECLINED 1",
        "REJECTED DECLINED 2",
        "EXPIRED VOIDED 2",
        "CANCELLED VOIDED 2",
        "CONFIRMED APPROVED 2",
        "CANCEL_REQUESTED APPROVED 3",
        "CANCEL_REQUESTED APPROVED 3",
        "CANCELLED REFUNDED 4",
        "EXPIRED REFUNDED 3",
    ];
    expected.sort_unstable();
    ends == expected
}

#[tokio::test]
async fn a_page_can_be_watched_from_where_it_stands() {
    let house = House::open().await;
    let mut story = Story::held(ALICE, HOST, Uuid::now_v7(), 0);
    house.hear(&story.events).await;
    let position = house.page(ALICE).await.position;
    story.confirmed();
    house.hear(&story.events).await;
    let mut stream = house.watch(ALICE, &position).await.expect("a watch");
    assert_eq!(next(&mut stream).await.0.state, "CONFIRMED");
}

#[tokio::test]
async fn a_position_from_before_a_rebuild_has_expired() {
    let history = interleaved();
    let house = House::open().await;
    house.hear(&history).await;
    let position = house.page(ALICE).await.position;

    let rebuilt = House::open().await;
    rebuilt.hear(&history).await;
    for (user, position) in
        [(ALICE, position.as_str()), (ALICE, "nonsense"), (BOB, &rebuilt.page(ALICE).await.position)]
    {
        let refused = rebuilt.watch(user, position).await.expect_err("not a position of this user, here");
        assert_eq!(reason(&refused), Some(Reason::POSITION_EXPIRED));
        assert_eq!(refused.code(), tonic::Code::OutOfRange);
    }
}

#[tokio::test]
async fn a_position_that_the_database_has_not_reached_has_expired() {
    let house = House::open().await;
    house.hear(&Story::held(ALICE, HOST, Uuid::now_v7(), 0).events).await;
    let positions = Positions::new(PageTokens::of(&house.database).await.expect("tokens"));
    assert!(house.watch(ALICE, &positions.make(ALICE, 1)).await.is_ok());
    // Handed out before the database was put back to an earlier day.
    let refused = house.watch(ALICE, &positions.make(ALICE, 2)).await.expect_err("nothing is known of it");
    assert_eq!(reason(&refused), Some(Reason::POSITION_EXPIRED));
}

#[tokio::test]
async fn another_users_page_cannot_be_watched() {
    let house = House::open().await;
    let request = WatchMyPageRequest { name: format!("{ALICE}/myPage"), position: String::new() };
    let refused = house.service.watch_my_page(by(BOB, request)).await.expect_err("not Bob's");
    assert_eq!(reason(&refused), Some(reasons::PAGE_NOT_FOUND));
}
