//! Rows A: the hotel. Its room team registers rooms, its guests reserve and pay, and cancel.

use contracts::{
    mypage::v1::booking,
    reservation::v1::{
        ListReservationsRequest, PayReservationRequest, QuoteReservationRequest, Reservation, WatchReservationRequest,
        reservation::State,
    },
    room::v1::{CreateRoomRequest, GetRoomCalendarRequest, Room, room_night, search_rooms_request},
    types::v1::PaymentMethod,
};

use crate::support::{
    Inn, Person, eventually,
    nights::{night, two_nights},
    reason, refusal, won,
};

/// The calendar's word for the first of the two usual nights.
async fn occupancy(host: &Person, room: &Room) -> room_night::State {
    let request = GetRoomCalendarRequest {
        name: room.name.clone(),
        start_date: night(0).to_string(),
        end_date: night(1).to_string(),
    };
    let calendar = host.rooms().get_room_calendar(request).await.expect("a calendar").into_inner();
    calendar.nights.first().expect("a night").state()
}

async fn becomes(host: &Person, room: &Room, state: room_night::State) {
    eventually(format!("the night is {}", state.as_str_name()), || async {
        (occupancy(host, room).await == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a1_the_room_team_registers_a_room_and_others_learn_of_it() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = Room {
        number: "301".to_owned(),
        display_name: "Sea view".to_owned(),
        size_square_meters: Some(32),
        amenities: vec!["wifi".to_owned(), "bath".to_owned()],
        nightly_rate: Some(won(120_000)),
        ..Room::default()
    };
    let request = CreateRoomRequest { room: Some(room), ..CreateRoomRequest::default() };
    let room = host.rooms().create_room(request).await.expect("a room").into_inner();
    // All defaults are echoed back.
    assert_eq!((room.units, room.capacity), (Some(1), Some(2)));
    assert_eq!((room.check_in_time.as_str(), room.check_out_time.as_str()), ("15:00", "11:00"));
    // Reservation knows it, and its host's page shows it: each heard of it by event.
    let reserved = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    assert_eq!(reserved.price.expect("a price").total, Some(won(240_000)));
    eventually("the host's page shows the room", || async {
        let request = contracts::mypage::v1::GetMyPageRequest { name: "users/me/myPage".to_owned() };
        let page = host.my_page().get_my_page(request).await.ok()?.into_inner();
        page.rooms.iter().any(|shown| shown.room == room.name).then_some(())
    })
    .await;
    inn.close().await;
}

#[tokio::test]
async fn a2_a_reservation_is_complete_only_once_it_is_paid() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let declined = guest.books(&room, Some("tok_decline_insufficient_funds")).await.expect_err("declined");
    assert_eq!(reason(&declined), "PAYMENT_DECLINED");
    let refusal = refusal(&declined);
    assert_eq!(refusal.metadata.get("decline_reason").map(String::as_str), Some("INSUFFICIENT_FUNDS"));
    // No payment, no reservation: what was held is free again at once.
    let name = refusal.metadata.get("case").expect("the case is named").clone();
    assert_eq!(guest.reservation(&name).await.expect("readable").state(), State::Rejected);
    let paid = guest.books(&room, Some("tok_approve")).await.expect("the room is free");
    assert_eq!(paid.state(), State::Confirmed);
    let (charges, _) = inn.provider_books().await;
    let taken = charges.iter().filter(|charge| charge.state().as_str_name() == "CHARGED").count();
    assert_eq!(taken, 1);
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn a2_a_hold_is_paid_with_another_card_when_the_first_is_declined() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let held = guest.books(&room, None).await.expect("a hold");
    assert_eq!(held.state(), State::Pending);
    assert!(held.hold_expire_time.is_some(), "the guest sees until when");
    let pay = |token: &str| PayReservationRequest {
        name: held.name.clone(),
        payment_method: Some(PaymentMethod { token: token.to_owned() }),
        ..PayReservationRequest::default()
    };
    let declined = guest.reservations().pay_reservation(pay("tok_decline_expired")).await.expect_err("declined");
    assert_eq!(reason(&declined), "PAYMENT_DECLINED");
    let rival = inn.guest("bob").books(&room, Some("tok_approve")).await.expect_err("still held");
    assert_eq!(reason(&rival), "ROOM_UNAVAILABLE");
    let paid = guest.reservations().pay_reservation(pay("tok_approve")).await.expect("paid").into_inner();
    assert_eq!(paid.state(), State::Confirmed);
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn a3_the_room_is_charged_when_a_reservation_completes_and_vacant_when_it_is_cancelled() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    becomes(&host, &room, room_night::State::Vacant).await;
    let paid = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    becomes(&host, &room, room_night::State::Charged).await;
    guest.cancels(&paid.name).await.expect("cancelled");
    becomes(&host, &room, room_night::State::Vacant).await;
    inn.close().await;
}

#[tokio::test]
async fn a4_the_state_of_a_reservation_can_be_looked_up_with_everything_else_down() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let paid = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.booking(&paid).await.expect("on my page");
    for down in ["room", "payment", "provider"] {
        inn.cut_off(down).await;
    }
    assert_eq!(guest.reservation(&paid.name).await.expect("reservation answers by itself").state(), State::Confirmed);
    inn.cut_off("reservation").await;
    let booking = guest.booking(&paid).await.expect("as does my page");
    assert_eq!((booking.state.as_str(), booking.payment_state.as_str()), ("CONFIRMED", "APPROVED"));
    inn.close().await;
}

#[tokio::test]
async fn a5_the_guest_cancels_and_follows_the_states_on_the_way() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let paid = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let request = WatchReservationRequest { name: paid.name.clone(), ..WatchReservationRequest::default() };
    let mut watch = guest.reservations().watch_reservation(request).await.expect("a stream").into_inner();
    let first = watch.message().await.expect("a message").expect("the current state at once");
    assert_eq!(first.reservation.expect("a reservation").state(), State::Confirmed);
    let asked = guest.cancels(&paid.name).await.expect("cancelled");
    assert!(matches!(asked.state(), State::CancelRequested | State::Cancelled));
    let mut seen = Vec::new();
    while seen.last() != Some(&State::Cancelled) {
        let message = tokio::time::timeout(crate::support::SETTLES, watch.message()).await.expect("in time");
        seen.push(message.expect("a message").expect("the stream goes on").reservation.expect("a reservation").state());
    }
    assert!(seen.iter().all(|state| matches!(state, State::CancelRequested | State::Cancelled)), "{seen:?}");
    inn.close().await;
}

#[tokio::test]
async fn a6_a_cancel_cancels_the_payment_and_is_complete_when_that_is() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let paid = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.cancels(&paid.name).await.expect("cancelled");
    let cancelled = guest.reservation_in(&paid.name, State::Cancelled).await;
    assert_eq!(cancelled.refund_amount, Some(won(180_000)));
    let (charges, refunds) = inn.provider_books().await;
    assert_eq!(charges.len(), 1);
    assert_eq!(refunds.len(), 1, "refunded once");
    assert_eq!(refunds.first().and_then(|refund| refund.amount.clone()), Some(won(180_000)));
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn a6_a_refund_that_is_refused_keeps_the_cancellation_open_and_shows_why() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let paid = guest.books(&room, Some("tok_refund_declined")).await.expect("a reservation");
    guest.cancels(&paid.name).await.expect("cancelled");
    let shown = eventually("the reason of the failed refund is shown", || async {
        let reservation = guest.reservation(&paid.name).await.ok()?;
        (!reservation.refund_failure_reason.is_empty()).then_some(reservation)
    })
    .await;
    assert_eq!(shown.state(), State::CancelRequested);
    // The bed is not blocked by it.
    assert!(inn.guest("bob").books(&room, Some("tok_approve")).await.is_ok());
    inn.close().await;
}

#[tokio::test]
async fn a6_a_refund_without_an_answer_is_made_once_all_the_same() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let paid = guest.books(&room, Some("tok_refund_timeout_then_done")).await.expect("a reservation");
    guest.cancels(&paid.name).await.expect("cancelled");
    guest.reservation_in(&paid.name, State::Cancelled).await;
    let (_, refunds) = inn.provider_books().await;
    assert_eq!(refunds.len(), 1);
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn a11_a_reservation_and_its_view_show_all_that_was_asked_for() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = Room {
        number: "301".to_owned(),
        display_name: "Sea view".to_owned(),
        size_square_meters: Some(32),
        amenities: vec!["wifi".to_owned()],
        nightly_rate: Some(won(90_000)),
        ..Room::default()
    };
    let request = CreateRoomRequest { room: Some(room), ..CreateRoomRequest::default() };
    let room = host.rooms().create_room(request).await.expect("a room").into_inner();
    let mut request = two_nights(&room, Some("tok_approve"));
    if let Some(reservation) = &mut request.reservation {
        reservation.guests = Some(2);
    }
    let made = guest.reservations().create_reservation(request).await.expect("a reservation").into_inner();
    let snapshot = made.room_snapshot.clone().expect("the room as it was");
    assert_eq!((snapshot.number.as_str(), snapshot.size_square_meters), ("301", Some(32)));
    assert_eq!(snapshot.amenities, ["wifi"]);
    assert_eq!(snapshot.register_time, room.create_time, "its registration date");
    assert_eq!((made.guest.as_str(), made.guests), (guest.name.as_str(), Some(2)));
    assert_eq!([&made.check_in_date, &made.check_out_date], [&night(0).to_string(), &night(2).to_string()]);
    assert_eq!(made.price.clone().and_then(|price| price.total), Some(won(180_000)));
    assert_eq!(made.payment_label, "visa 4242");
    assert!(made.pay_time.is_some());
    assert_eq!(made.state(), State::Confirmed);
    let view = guest.booking(&made).await.expect("on my page");
    let Some(booking::Details::Stay(stay)) = view.details.clone() else { panic!("no stay is shown") };
    assert_eq!((stay.room_number.as_str(), stay.size_square_meters), ("301", Some(32)));
    assert_eq!((stay.amenities, stay.register_time), (vec!["wifi".to_owned()], room.create_time));
    assert_eq!(stay.guests, Some(2));
    assert_eq!((view.payment_label.as_str(), view.pay_time), ("visa 4242", made.pay_time));
    assert_eq!((view.state.as_str(), view.total), ("CONFIRMED", Some(won(180_000))));
    assert_eq!([&view.start_date, &view.end_date], [&night(0).to_string(), &night(2).to_string()]);
    inn.close().await;
}

#[tokio::test]
async fn a16_reservation_says_whether_dates_are_free_and_search_is_a_hint() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let quote = || QuoteReservationRequest { reservation: two_nights(&room, None).reservation };
    let free = guest.reservations().quote_reservation(quote()).await.expect("a quote").into_inner();
    assert_eq!((free.units_left, free.price.and_then(|price| price.total)), (Some(1), Some(won(180_000))));
    let found = |offers: Vec<contracts::room::v1::search_rooms_response::Offer>| {
        offers.iter().any(|offer| offer.room.as_ref().is_some_and(|found| found.name == room.name))
    };
    let search = || contracts::room::v1::SearchRoomsRequest {
        check_in_date: night(0).to_string(),
        check_out_date: night(2).to_string(),
        order: search_rooms_request::Order::Price.into(),
        ..Default::default()
    };
    assert!(found(guest.rooms().search_rooms(search()).await.expect("offers").into_inner().offers));
    guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let full = guest.reservations().quote_reservation(quote()).await.expect("a quote").into_inner();
    assert_eq!(full.units_left, Some(0), "the truth at once");
    eventually("search has heard of it", || async {
        let offers = guest.rooms().search_rooms(search()).await.ok()?.into_inner().offers;
        (!found(offers)).then_some(())
    })
    .await;
    inn.close().await;
}

#[tokio::test]
async fn the_hotel_lists_its_reservations_page_by_page() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("room-team"), inn.guest("alice"));
    let room = host.registers_a_room(10).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(guest.books(&room, Some("tok_approve")).await.expect("a reservation").name);
    }
    made.reverse();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListReservationsRequest {
            view: contracts::reservation::v1::list_reservations_request::View::Host.into(),
            page_size: 2,
            page_token,
            ..ListReservationsRequest::default()
        };
        let page = host.reservations().list_reservations(request).await.expect("a page").into_inner();
        listed.extend(page.reservations.into_iter().map(|reservation: Reservation| reservation.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made, "each once, the newest first");
    inn.close().await;
}
