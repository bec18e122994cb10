//! Rows M: my hotel. A host, a guest, and a page of one's own.

use contracts::{
    mypage::v1::{GetMyPageRequest, ListBookingsRequest, booking},
    payment::v1::ListPaymentsRequest,
    reservation::v1::{
        CancelReservationRequest, ListReservationsRequest, QuoteReservationRequest, list_reservations_request::View,
        reservation::State,
    },
    room::v1::{CreateRoomRequest, DeleteRoomRequest, Room, SearchRoomsRequest},
    types::v1::cancellation,
};
use mesh::Role;

use crate::support::{
    Inn, Person, eventually,
    nights::{night, two_nights},
    reason, won,
};

async fn bookings(person: &Person, role: booking::Role) -> Vec<contracts::mypage::v1::Booking> {
    let request =
        ListBookingsRequest { parent: "users/me".to_owned(), role: role.into(), ..ListBookingsRequest::default() };
    person.my_page().list_bookings(request).await.expect("bookings").into_inner().bookings
}

#[tokio::test]
async fn m1_a_host_registers_and_removes_rooms() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let request = DeleteRoomRequest { name: room.name.clone(), ..DeleteRoomRequest::default() };
    host.rooms().delete_room(request).await.expect("removed");
    let refused = eventually("reservation has heard that the room is gone", || async {
        let quote = QuoteReservationRequest { reservation: two_nights(&room, None).reservation };
        guest.reservations().quote_reservation(quote).await.err()
    })
    .await;
    assert_eq!(reason(&refused), "ROOM_DELETED");
    assert_eq!(reason(&guest.books(&room, Some("tok_approve")).await.expect_err("refused")), "ROOM_DELETED");
    inn.close().await;
}

#[tokio::test]
async fn m1_a_room_removed_with_its_stays_refunds_every_guest_in_full() {
    use contracts::room::v1::room::OnReserved;
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(2).await;
    let first = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let second = inn.guest("bob").books(&room, Some("tok_approve")).await.expect("a reservation");
    let mut request = DeleteRoomRequest { name: room.name.clone(), ..DeleteRoomRequest::default() };
    request.set_on_reserved(OnReserved::Cancel);
    host.rooms().delete_room(request).await.expect("removed");
    for name in [&first.name, &second.name] {
        let cancelled = host.reservation_in(name, State::Cancelled).await;
        assert_eq!(cancelled.refund_amount, Some(won(180_000)));
    }
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn m2_a_guest_searches_by_dates_guests_size_amenities_price_and_place() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    for (name, size, amenity, rate, place, capacity) in
        [("Small", 12, "wifi", 50_000, "Busan", 1), ("Large", 60, "bath", 250_000, "Seoul", 4)]
    {
        let room = Room {
            display_name: name.to_owned(),
            size_square_meters: Some(size),
            amenities: vec![amenity.to_owned()],
            nightly_rate: Some(won(rate)),
            place: place.to_owned(),
            capacity: Some(capacity),
            ..Room::default()
        };
        let request = CreateRoomRequest { room: Some(room), ..CreateRoomRequest::default() };
        host.rooms().create_room(request).await.expect("a room");
    }
    let dated = || SearchRoomsRequest {
        check_in_date: night(0).to_string(),
        check_out_date: night(2).to_string(),
        ..SearchRoomsRequest::default()
    };
    for (search, found) in [
        (dated(), vec!["Small", "Large"]),
        (SearchRoomsRequest { guests: Some(3), ..dated() }, vec!["Large"]),
        (SearchRoomsRequest { min_size: 40, ..dated() }, vec!["Large"]),
        (SearchRoomsRequest { amenities: vec!["wifi".to_owned()], ..dated() }, vec!["Small"]),
        (SearchRoomsRequest { max_rate: Some(won(100_000)), ..dated() }, vec!["Small"]),
        (SearchRoomsRequest { place: "seoul".to_owned(), ..dated() }, vec!["Large"]),
        (SearchRoomsRequest { place: "Jeju".to_owned(), ..dated() }, vec![]),
    ] {
        let offers = guest.rooms().search_rooms(search.clone()).await.expect("offers").into_inner().offers;
        let names: Vec<_> =
            offers.iter().filter_map(|offer| offer.room.as_ref()).map(|room| room.display_name.as_str()).collect();
        assert_eq!(names, found, "{search:?}");
    }
    inn.close().await;
}

#[tokio::test]
async fn m3_an_unpaid_booking_never_comes_into_being() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    for token in ["tok_decline_insufficient_funds", "tok_decline_expired"] {
        assert_eq!(reason(&guest.books(&room, Some(token)).await.expect_err("declined")), "PAYMENT_DECLINED");
    }
    inn.cut_off("payment").await;
    let held_off = guest.books(&room, Some("tok_approve")).await.expect_err("held off");
    assert_eq!(reason(&held_off), "PAYMENT_UNAVAILABLE");
    inn.reconnect("payment").await;
    let booked =
        eventually("booking works again by itself", || async { guest.books(&room, Some("tok_approve")).await.ok() })
            .await;
    assert_eq!(booked.state(), State::Confirmed);
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn m5_a_booking_is_passed_on_to_its_host() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let passed_on = host.booking(&made).await.expect("on the host's page");
    assert_eq!((passed_on.case.as_str(), passed_on.state.as_str()), (made.name.as_str(), "CONFIRMED"));
    assert_eq!(passed_on.counterparty, guest.name);
    inn.close().await;
}

#[tokio::test]
async fn m6_a_guest_sees_their_own_bookings_and_nobody_elses() {
    let inn = Inn::open().await;
    let (host, alice, bob) = (inn.host("henry"), inn.guest("alice"), inn.guest("bob"));
    let room = host.registers_a_room(2).await;
    let hers = alice.books(&room, Some("tok_approve")).await.expect("a reservation");
    let his = bob.books(&room, Some("tok_approve")).await.expect("a reservation");
    alice.booking(&hers).await.expect("hers");
    bob.booking(&his).await.expect("his");
    let shown: Vec<_> = bookings(&alice, booking::Role::Guest).await.into_iter().map(|booking| booking.case).collect();
    assert_eq!(shown, std::slice::from_ref(&hers.name));
    assert_eq!(reason(&alice.booking(&his).await.expect_err("not hers")), "BOOKING_NOT_FOUND");
    assert_eq!(reason(&alice.reservation(&his.name).await.expect_err("not hers")), "RESERVATION_NOT_FOUND");
    assert_eq!(reason(&alice.cancels(&his.name).await.expect_err("not hers")), "RESERVATION_NOT_FOUND");
    assert_eq!(bob.reservation(&his.name).await.expect("his").state(), State::Confirmed);
    inn.close().await;
}

#[tokio::test]
async fn m7_a_guest_cancels_and_the_payment_is_cancelled_after() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.cancels(&made.name).await.expect("cancelled");
    let cancelled = guest.reservation_in(&made.name, State::Cancelled).await;
    let booking = guest.booking(&cancelled).await.expect("on my page");
    assert_eq!((booking.state.as_str(), booking.phase()), ("CANCELLED", booking::Phase::Cancelled));
    let refunded = eventually("my page shows the refund", || async {
        let booking = guest.booking(&cancelled).await.ok()?;
        (booking.payment_state == "REFUNDED").then_some(booking)
    })
    .await;
    assert_eq!(refunded.refunded, Some(won(180_000)));
    inn.close().await;
}

#[tokio::test]
async fn m10_guest_and_host_see_the_current_state_of_everything_of_theirs() {
    let inn = Inn::open().await;
    let both = inn.person("carol", &[Role::Guest, Role::Host]);
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let (his, hers) = (host.registers_a_room(1).await, both.registers_a_room(1).await);
    let as_guest = both.books(&his, Some("tok_approve")).await.expect("a reservation");
    let as_host = guest.books(&hers, Some("tok_approve")).await.expect("a reservation");
    both.booking(&as_guest).await.expect("as guest");
    both.booking(&as_host).await.expect("as host");
    let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
    let page = both.my_page().get_my_page(request).await.expect("my page").into_inner();
    let counts = page.counts.expect("counts");
    assert_eq!((counts.guest_open, counts.host_open, counts.rooms), (Some(1), Some(1), Some(1)));
    assert_eq!(page.upcoming.len(), 2);
    inn.close().await;
}

#[tokio::test]
async fn m15_with_payment_out_of_reach_booking_fails_clearly_and_leaves_nothing() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    guest.books_nights(&room, 30..31, Some("tok_approve")).await.expect("a reservation");
    inn.cut_off("payment").await;
    let refused = guest.books(&room, Some("tok_approve")).await.expect_err("held off");
    assert_eq!(reason(&refused), "PAYMENT_UNAVAILABLE");
    assert!(crate::support::refusal(&refused).retry_after.is_some(), "and says when to pay again");
    let quote = QuoteReservationRequest { reservation: two_nights(&room, None).reservation };
    let left = guest.reservations().quote_reservation(quote).await.expect("a quote").into_inner().units_left;
    assert_eq!(left, Some(1), "nothing is left behind");
    inn.reconnect("payment").await;
    eventually("booking works without a restart", || async { guest.books(&room, Some("tok_approve")).await.ok() })
        .await;
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn m13_an_agent_finds_and_cancels_anybodys_booking_and_the_guest_gets_everything_back() {
    let inn = Inn::open().await;
    let (host, guest, agent) = (inn.host("henry"), inn.guest("alice"), inn.person("grace", &[Role::Agent]));
    let room = host.registers_a_room(1).await;
    let booked = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let everybodys = ListReservationsRequest { view: View::All.into(), ..ListReservationsRequest::default() };
    for person in [&guest, &host] {
        let refused = person.reservations().list_reservations(everybodys.clone()).await.expect_err("for agents");
        assert_eq!(reason(&refused), "ROLE_REQUIRED");
    }
    let found = agent.reservations().list_reservations(everybodys).await.expect("a list").into_inner().reservations;
    assert!(found.iter().any(|one| one.name == booked.name), "{found:#?}");

    let mut request = CancelReservationRequest { name: booked.name.clone(), ..CancelReservationRequest::default() };
    request.set_cause(cancellation::Cause::Complaint);
    agent.reservations().cancel_reservation(request).await.expect("cancelled");
    let cancelled = guest.reservation_in(&booked.name, State::Cancelled).await;
    assert_eq!(cancelled.refund_amount, Some(won(180_000)));
    let by = cancelled.cancellation.expect("by whom");
    assert_eq!((by.party(), by.cause()), (cancellation::Party::Agent, cancellation::Cause::Complaint));
    let shown = guest.booking(&cancelled).await.expect("on my page");
    assert_eq!(shown.cancellation, Some(by), "the page says so as well");
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn p7_a_payment_is_never_deleted() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.cancels(&made.name).await.expect("cancelled");
    guest.reservation_in(&made.name, State::Cancelled).await;
    let request = ListPaymentsRequest { case: made.name.clone(), ..ListPaymentsRequest::default() };
    let payments = guest.payments().list_payments(request).await.expect("payments").into_inner().payments;
    let [payment] = payments.as_slice() else { panic!("one payment: {payments:?}") };
    assert_eq!(payment.state().as_str_name(), "REFUNDED");
    assert_eq!(payment.refunded_amount, Some(won(180_000)));
    inn.close().await;
}
