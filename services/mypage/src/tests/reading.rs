//! What a user is shown, and what not.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use contracts::mypage::v1::{
    GetBookingRequest, GetMyPageRequest, GetTimelineRequest, ListBookingsRequest,
    booking::{Details, Phase, Role as PartyRole},
    my_page_service_server::MyPageService,
};
use jiff::SignedDuration;
use mesh::{Actor, Event, Reason, Role, context::Handled};
use uuid::Uuid;

use super::{
    ALICE, BOB, HOST, House, booking_name, by, by_roles,
    history::{Plot, Story, room_story, won},
    reason, today,
};
use crate::reasons;

fn list(parent: &str) -> ListBookingsRequest {
    ListBookingsRequest { parent: parent.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn both_parties_see_a_booking_each_from_their_side() {
    let house = House::open().await;
    let room = Uuid::now_v7();
    let story = Story::whole(ALICE, HOST, room, 0, 0, Plot::Confirmed);
    house.hear(&story.events).await;

    let guests = house.booking(ALICE, &story.name()).await.expect("the guest's");
    assert_eq!(guests.name, booking_name(ALICE, &story.name()));
    assert_eq!(guests.case, story.name());
    assert_eq!(guests.roles, [i32::from(PartyRole::Guest)]);
    assert_eq!(guests.counterparty, HOST);
    assert_eq!((guests.title.as_str(), guests.state.as_str()), ("Sea view", "CONFIRMED"));
    assert_eq!((guests.start_date.as_str(), guests.end_date.as_str()), ("2027-05-01", "2027-05-03"));
    assert_eq!(guests.phase(), Phase::Open);
    assert_eq!((guests.total, guests.refunded), (Some(won(180_000)), Some(won(0))));
    let Some(Details::Stay(stay)) = guests.details else { panic!("no stay is booked") };
    assert_eq!((stay.room, stay.room_number), (format!("rooms/{room}"), "204".into()));
    assert_eq!((guests.payment_label.as_str(), guests.pay_time.is_some()), ("visa 4242", true));

    let hosts = house.booking(HOST, &story.name()).await.expect("the host's");
    assert_eq!((hosts.roles, hosts.counterparty), (vec![i32::from(PartyRole::Host)], ALICE.to_owned()));
}

#[tokio::test]
async fn who_books_of_themselves_has_one_booking_in_both_roles() {
    let house = House::open().await;
    let story = Story::held(BOB, BOB, Uuid::now_v7(), 0);
    house.hear(&story.events).await;
    let bookings = house.bookings(BOB).await;
    assert_eq!(bookings.len(), 1);
    assert_eq!(bookings[0].roles, [i32::from(PartyRole::Guest), i32::from(PartyRole::Host)]);
    let counts = house.page(BOB).await.counts.expect("counts");
    assert_eq!((counts.guest_open, counts.host_open), (Some(1), Some(1)));
}

#[tokio::test]
async fn another_users_page_and_bookings_are_not_found() {
    let house = House::open().await;
    let story = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 0, Plot::Confirmed);
    house.hear(&story.events).await;
    let theirs = booking_name(ALICE, &story.name());

    let page = house.try_page(BOB, &format!("{ALICE}/myPage")).await.expect_err("not Bob's");
    assert_eq!(reason(&page), Some(reasons::PAGE_NOT_FOUND));
    let bookings = house.list(BOB, list(ALICE)).await.expect_err("not Bob's");
    assert_eq!(reason(&bookings), Some(reasons::PAGE_NOT_FOUND));
    // Neither under its owner's name, nor as if it were his own.
    for name in [theirs.clone(), booking_name("users/me", &story.name())] {
        let request = GetBookingRequest { name: name.clone(), min_version: 0 };
        let booking = house.service.get_booking(by(BOB, request)).await.expect_err("not Bob's");
        assert_eq!(reason(&booking), Some(reasons::BOOKING_NOT_FOUND));
        let timeline = house.service.get_timeline(by(BOB, GetTimelineRequest { name })).await.expect_err("not Bob's");
        assert_eq!(reason(&timeline), Some(reasons::BOOKING_NOT_FOUND));
    }
    assert!(house.bookings(BOB).await.is_empty());

    let agent =
        by_roles(BOB, &[Role::Agent], Duration::from_secs(10), GetBookingRequest { name: theirs, min_version: 0 });
    assert!(house.service.get_booking(agent).await.is_ok(), "an agent may look");
}

#[tokio::test]
async fn whoever_has_done_nothing_has_an_empty_page() {
    let page = House::open().await.page(ALICE).await;
    let counts = page.counts.expect("counts");
    assert_eq!((counts.guest_open, counts.host_cancelled, counts.rooms), (Some(0), Some(0), Some(0)));
    assert_eq!((page.upcoming.len(), page.rooms.len(), page.as_of_time), (0, 0, None));
}

#[tokio::test]
async fn a_page_counts_bookings_and_rooms() {
    let house = House::open().await;
    let (kept, deleted) = (Uuid::now_v7(), Uuid::now_v7());
    let mut events = [room_story(HOST, kept, 2), room_story(HOST, deleted, 4)].concat();
    // The first version of the deleted room comes again after its deletion.
    events.push(Event { id: Uuid::now_v7(), ..room_story(HOST, deleted, 1).remove(0) });
    for (minute, plot) in (0..).zip(Plot::ALL) {
        events.extend(Story::whole(ALICE, HOST, kept, minute, 0, plot).events);
    }
    house.hear(&events).await;

    let hosts = house.page(HOST).await;
    let counts = hosts.counts.expect("counts");
    // Held, confirmed, and two whose refund is still to come.
    assert_eq!((counts.host_open, counts.host_done, counts.host_cancelled), (Some(4), Some(0), Some(5)));
    assert_eq!((counts.guest_open, counts.rooms), (Some(0), Some(1)));
    assert_eq!(hosts.upcoming.len(), 4);
    let [room] = hosts.rooms.as_slice() else { panic!("one room: {:?}", hosts.rooms) };
    assert_eq!((room.display_name.as_str(), room.units, room.open_bookings), ("Garden view", Some(3), Some(4)));
    let newest = events.iter().map(|event| event.time).max().expect("events");
    assert_eq!(hosts.as_of_time, Some(mesh::clock::to_proto(newest)));
}

#[tokio::test]
async fn a_stay_is_done_when_its_last_morning_is_over_where_the_room_is() {
    let house = House::open().await;
    let story = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 0, Plot::Confirmed);
    house.hear(&story.events).await;
    // 11:00 in Seoul.
    let end: jiff::Timestamp = "2027-05-03T02:00:00Z".parse().expect("an instant");
    house.clock.advance(today().duration_until(end) - SignedDuration::from_secs(1));
    assert_eq!(house.booking(ALICE, &story.name()).await.expect("a booking").phase(), Phase::Open);
    house.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(house.booking(ALICE, &story.name()).await.expect("a booking").phase(), Phase::Done);
    let page = house.page(ALICE).await;
    let counts = page.counts.expect("counts");
    assert_eq!((counts.guest_open, counts.guest_done, page.upcoming.len()), (Some(0), Some(1), 0));
    let done = ListBookingsRequest { phases: vec![Phase::Done.into()], ..list("users/me") };
    assert_eq!(house.list(ALICE, done).await.expect("a list").bookings.len(), 1);
}

#[tokio::test]
async fn pages_of_a_list_are_complete_and_nothing_comes_twice() {
    let house = House::open().await;
    let mut events = Vec::new();
    // Three of each minute, so that a page ends among equals.
    for number in 0..23 {
        let plot = if number % 2 == 0 { Plot::Confirmed } else { Plot::Cancelled };
        events.extend(Story::whole(ALICE, HOST, Uuid::now_v7(), number / 3, 0, plot).events);
    }
    house.hear(&events).await;

    for (user, phases, expected) in
        [(ALICE, vec![], 23), (HOST, vec![Phase::Open], 12), (HOST, vec![Phase::Cancelled], 11)]
    {
        let phases = phases.into_iter().map(i32::from).collect();
        let mut request = ListBookingsRequest { page_size: 5, phases, ..list("users/me") };
        let mut seen = Vec::new();
        loop {
            let page = house.list(user, request.clone()).await.expect("a page");
            assert!(page.bookings.len() <= 5);
            seen.extend(page.bookings);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(seen.len(), expected);
        assert_eq!(seen.iter().map(|booking| booking.name.clone()).collect::<BTreeSet<_>>().len(), expected);
        let made: Vec<_> = seen.iter().filter_map(|booking| booking.create_time.map(|at| at.seconds)).collect();
        assert!(made.is_sorted_by(|newer, older| newer >= older), "the newest come first");
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_role_and_its_token_is_good_for_no_other() {
    let house = House::open().await;
    let mut events = Vec::new();
    for minute in 0..3 {
        events.extend(Story::held(BOB, HOST, Uuid::now_v7(), minute).events);
        events.extend(Story::held(ALICE, BOB, Uuid::now_v7(), minute).events);
    }
    house.hear(&events).await;
    let as_guest = ListBookingsRequest { role: PartyRole::Guest.into(), page_size: 2, ..list("users/me") };
    let page = house.list(BOB, as_guest.clone()).await.expect("a page");
    assert!(page.bookings.iter().all(|booking| booking.counterparty == HOST));
    let as_host = ListBookingsRequest { role: PartyRole::Host.into(), page_token: page.next_page_token, ..as_guest };
    let refused = house.list(BOB, as_host).await.expect_err("another list");
    assert_eq!(reason(&refused), Some(Reason::PAGE_TOKEN_INVALID));
}

#[tokio::test]
async fn every_fault_of_a_request_is_named() {
    let house = House::open().await;
    let faulty = ListBookingsRequest { role: 9, kinds: vec![0], phases: vec![9], ..list("alice") };
    let refusal = mesh::Refusal::from_status(&house.list(ALICE, faulty).await.expect_err("faults")).expect("ours");
    let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["parent", "role", "kinds", "phases"]);

    let id = Uuid::now_v7();
    for (name, min_version) in
        [("", 0), (&*format!("{id}"), 0), ("users/me/bookings/x", 0), (&*format!("users/me/bookings/{id}"), -1)]
    {
        let request = GetBookingRequest { name: name.to_owned(), min_version };
        let status = house.service.get_booking(by(ALICE, request)).await.expect_err("a fault");
        assert_eq!(reason(&status), Some(Reason::INVALID_FIELDS), "{name}");
    }
    for name in ["", "users/me", "/myPage", "users/a b/myPage"] {
        let request = GetMyPageRequest { name: name.to_owned() };
        let status = house.service.get_my_page(by(ALICE, request)).await.expect_err("a fault");
        assert_eq!(reason(&status), Some(Reason::INVALID_FIELDS), "{name}");
    }
}

#[tokio::test]
async fn a_reader_who_waits_for_a_version_has_it_as_soon_as_it_is_there() {
    let house = House::open().await;
    let mut story = Story::held(ALICE, HOST, Uuid::now_v7(), 0);
    story.confirmed();
    let (name, asked) = (story.name(), Instant::now());
    let reading = house.booking_at(ALICE, &name, 2);
    let hearing = async {
        // The reader has found nothing, then the first version, then the second.
        for event in &story.events {
            tokio::time::sleep(Duration::from_millis(60)).await;
            house.hear(std::slice::from_ref(event)).await;
        }
    };
    let (booking, ()) = tokio::join!(reading, hearing);
    assert_eq!(booking.expect("a booking").state, "CONFIRMED");
    assert!(asked.elapsed() < Duration::from_millis(1_500), "it was woken and did not wait to the end");
}

#[tokio::test]
async fn a_reader_whose_version_does_not_come_is_answered_by_what_stands() {
    let house = House::open().await;
    let story = Story::held(ALICE, HOST, Uuid::now_v7(), 0);
    house.hear(&story.events).await;
    let in_a_hurry = |case: &str| {
        let request = GetBookingRequest { name: booking_name("users/me", case), min_version: 7 };
        by_roles(ALICE, &[Role::Guest], Duration::from_millis(250), request)
    };
    let stands = house.service.get_booking(in_a_hurry(&story.name())).await.expect("within the caller's time");
    assert_eq!(stands.get_ref().version, 1);
    let nothing = house.service.get_booking(in_a_hurry(&format!("reservations/{}", Uuid::now_v7()))).await;
    assert_eq!(nothing.err().and_then(|status| reason(&status)), Some(reasons::BOOKING_NOT_FOUND));
}

#[tokio::test]
async fn an_event_of_another_context_hides_none_that_has_the_same_id() {
    let house = House::open().await;
    let story = Story::whole(ALICE, HOST, Uuid::now_v7(), 0, 0, Plot::Confirmed);
    let namesake = |event: &Event| Event { id: event.id, ..room_story(HOST, Uuid::now_v7(), 1).remove(0) };
    house.hear(&story.events.iter().map(namesake).collect::<Vec<_>>()).await;
    house.hear(&story.events).await;
    assert_eq!(house.booking(ALICE, &story.name()).await.expect("a booking").state, "CONFIRMED");
    let told = house.timeline(ALICE, &story.name()).await.expect("a timeline").entries;
    assert_eq!(told.len(), story.events.len());
}

#[tokio::test]
async fn events_that_are_not_shown_here_are_passed_over() {
    let house = House::open().await;
    let event = Story::held(ALICE, HOST, Uuid::now_v7(), 0).events.remove(0);
    let unknown = Event { route: "jumak.reservation.v1.dream.held".to_owned(), ..event.clone() };
    let of_an_order = Event::new(
        "payment",
        "payment",
        "payments/x",
        1,
        today(),
        &Actor::context("payment", "a case"),
        &contracts::payment::v1::PaymentApproved {
            payment: Some(contracts::payment::v1::Payment {
                case: format!("orders/{}", Uuid::now_v7()),
                ..Default::default()
            }),
        },
    );
    let handled = house.try_hear(&[unknown, of_an_order]).await.expect("handled");
    assert_eq!(handled, [Handled::Unknown, Handled::Unknown]);
    let broken = Event { data: vec![0xff], ..event };
    assert!(house.try_hear(&[broken]).await.is_err(), "what breaks its contract is put aside, not shown");
}
