//! Rows Z: what none of the originals had.

use contracts::{
    mypage::v1::{GetTimelineRequest, WatchMyPageRequest, timeline_entry::Cause},
    provider::v1::CompleteChargeActionRequest,
    reservation::v1::{PayReservationRequest, WatchReservationRequest, reservation::State},
    types::v1::PaymentMethod,
};
use jiff::SignedDuration;

use crate::support::{
    Inn, SETTLES, eventually, eventually_within, nights::two_nights, reason, refusal, setup::Setup, won,
};

#[tokio::test]
async fn z2_a_hold_shows_its_expiry_and_is_released_once_when_it_passes() {
    let inn = Inn::with(Setup::new().with("checkout.hold_ms", 4_000)).await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let held = guest.books(&room, None).await.expect("a hold");
    let expires = held.hold_expire_time.expect("shown").seconds;
    assert_eq!(expires - held.create_time.expect("shown").seconds, 4);
    assert_eq!(reason(&inn.guest("bob").books(&room, None).await.expect_err("held")), "ROOM_UNAVAILABLE");
    guest.reservation_in(&held.name, State::Expired).await;
    let late = PayReservationRequest {
        name: held.name.clone(),
        payment_method: Some(PaymentMethod { token: "tok_approve".to_owned() }),
        ..PayReservationRequest::default()
    };
    assert_eq!(reason(&guest.reservations().pay_reservation(late).await.expect_err("too late")), "ILLEGAL_TRANSITION");
    inn.guest("bob").books(&room, Some("tok_approve")).await.expect("free again");
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn z3_the_same_request_replays_and_another_under_its_id_is_refused() {
    let inn = Inn::open().await;
    let (host, alice, bob) = (inn.host("henry"), inn.guest("alice"), inn.guest("bob"));
    let room = host.registers_a_room(5).await;
    let mut request = two_nights(&room, Some("tok_approve"));
    request.request_id = "booking-1".to_owned();
    let first = alice.reservations().create_reservation(request.clone()).await.expect("made").into_inner();
    let again = alice.reservations().create_reservation(request.clone()).await.expect("replayed").into_inner();
    assert_eq!(first, again);
    let mut other = request.clone();
    other.payment_method = Some(PaymentMethod { token: "tok_slow_1".to_owned() });
    assert_eq!(reason(&alice.reservations().create_reservation(other).await.expect_err("reused")), "REQUEST_ID_REUSED");
    let his = bob.reservations().create_reservation(request).await.expect("his own id").into_inner();
    assert_ne!(his.name, first.name);
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), 2);
    inn.close().await;
}

#[tokio::test]
async fn z3_cancelling_under_one_id_is_one_cancellation() {
    use contracts::reservation::v1::CancelReservationRequest;
    let inn = Inn::open().await;
    let (host, alice) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = alice.books(&room, Some("tok_approve")).await.expect("made");
    let request = |reason: &str| CancelReservationRequest {
        name: made.name.clone(),
        reason: reason.to_owned(),
        request_id: "cancel-1".to_owned(),
        ..Default::default()
    };
    let first = alice.reservations().cancel_reservation(request("ill")).await.expect("cancelled").into_inner();
    alice.reservation_in(&made.name, State::Cancelled).await;
    let again = alice.reservations().cancel_reservation(request("ill")).await.expect("replayed").into_inner();
    assert_eq!(first, again, "the first answer, though the case has gone on");
    let other = alice.reservations().cancel_reservation(request("rain")).await.expect_err("reused");
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    inn.close().await;
}

/// Tokens of payments whose answer is lost, and how the case must end by itself.
#[tokio::test]
async fn z4_an_unknown_outcome_is_resolved_by_itself() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(10).await;
    let cases = [
        ("tok_timeout_then_approved", State::Confirmed, 1),
        ("tok_timeout_then_declined", State::Rejected, 0),
        ("tok_slow_4000", State::Confirmed, 1),
    ];
    let settled = cases.map(|(token, state, _)| {
        let (guest, room) = (guest.clone(), room.clone());
        async move {
            let unknown = guest.books(&room, Some(token)).await.expect_err("nobody knows yet");
            assert_eq!(reason(&unknown), "PAYMENT_PENDING", "{token}");
            let refusal = refusal(&unknown);
            assert!(refusal.metadata.contains_key("expire_time") && refusal.retry_after.is_some(), "{refusal:?}");
            let name = refusal.metadata.get("case").expect("the case is named").clone();
            guest.reservation_in(&name, state).await;
        }
    });
    futures::future::join_all(settled).await;
    let (charges, _) = inn.provider_books().await;
    let taken = charges.iter().filter(|charge| charge.state().as_str_name() == "CHARGED").count();
    assert_eq!(taken, cases.iter().map(|(_, _, charged)| charged).sum::<usize>());
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn z4_a_provider_that_fails_leaves_nobody_charged_and_nothing_held() {
    let inn = Inn::with(Setup::new().with("payment.give_up_after_ms", 4_000)).await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let unknown = guest.books(&room, Some("tok_error")).await.expect_err("nobody knows yet");
    assert_eq!(reason(&unknown), "PAYMENT_PENDING");
    let name = refusal(&unknown).metadata.get("case").expect("the case is named").clone();
    guest.reservation_in(&name, State::Rejected).await;
    guest.books(&room, Some("tok_approve")).await.expect("free again");
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn z4_a_charge_that_arrives_after_the_payment_was_voided_is_given_back() {
    let inn = Inn::with(Setup::new().with("payment.give_up_after_ms", 4_000)).await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let unknown = guest.books(&room, Some("tok_approved_after_void")).await.expect_err("nobody knows yet");
    let name = refusal(&unknown).metadata.get("case").expect("the case is named").clone();
    guest.reservation_in(&name, State::Rejected).await;
    // The provider is asked with pauses that double, so a charge is found within twice the time by which it was late.
    eventually_within(2 * SETTLES, "the late charge was taken and given back", || async {
        let (charges, refunds) = inn.provider_books().await;
        (charges.len() == 1 && refunds.iter().any(|refund| refund.state().as_str_name() == "SUCCEEDED")).then_some(())
    })
    .await;
    assert_eq!(guest.reservation(&name).await.expect("readable").state(), State::Rejected);
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn z4_a_guest_may_cancel_while_the_outcome_is_unknown() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let unknown = guest.books(&room, Some("tok_timeout_then_approved")).await.expect_err("nobody knows yet");
    let name = refusal(&unknown).metadata.get("case").expect("the case is named").clone();
    guest.cancels(&name).await.expect("asked");
    guest.reservation_in(&name, State::Cancelled).await;
    inn.guest("bob").books(&room, Some("tok_approve")).await.expect("the bed is free");
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn a_payment_that_needs_the_payer_waits_for_them() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let pending = guest.books(&room, Some("tok_action_required")).await.expect("an answer");
    assert_eq!(pending.state(), State::Pending);
    assert!(!pending.payment_action.expect("what to do").uri.is_empty());
    let (charges, _) = inn.provider_books().await;
    let charge_id = charges.first().expect("a charge").charge_id.clone();
    let request = CompleteChargeActionRequest { charge_id, approve: true };
    guest.provider().complete_charge_action(request).await.expect("done at the bank's page");
    guest.reservation_in(&pending.name, State::Confirmed).await;
    inn.audit().await;
    inn.close().await;
}

#[tokio::test]
async fn z6_a_watch_is_taken_up_again_where_it_was_dropped() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let held = guest.books(&room, None).await.expect("a hold");
    let watch = |position: &str| WatchReservationRequest { name: held.name.clone(), position: position.to_owned() };
    let mut stream = guest.reservations().watch_reservation(watch("")).await.expect("a stream").into_inner();
    let first = stream.message().await.expect("a message").expect("at once");
    drop(stream);
    let pay = PayReservationRequest {
        name: held.name.clone(),
        payment_method: Some(PaymentMethod { token: "tok_approve".to_owned() }),
        ..PayReservationRequest::default()
    };
    guest.reservations().pay_reservation(pay).await.expect("paid");
    let mut stream = guest.reservations().watch_reservation(watch(&first.position)).await.expect("again").into_inner();
    let missed = tokio::time::timeout(SETTLES, stream.message()).await.expect("in time").expect("a message");
    assert_eq!(missed.and_then(|message| message.reservation).expect("a reservation").state(), State::Confirmed);
    for nonsense in ["x", "v99999"] {
        let refused = guest.reservations().watch_reservation(watch(nonsense)).await.expect_err("no such position");
        assert_eq!(reason(&refused), "POSITION_EXPIRED");
    }
    inn.close().await;
}

#[tokio::test]
async fn z6_my_page_is_pushed_each_change_once() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.booking(&made).await.expect("on my page");
    let watch = |position: String| WatchMyPageRequest { name: "users/me/myPage".to_owned(), position };
    let mut stream = guest.my_page().watch_my_page(watch(String::new())).await.expect("a stream").into_inner();
    let first =
        tokio::time::timeout(SETTLES, stream.message()).await.expect("in time").expect("ok").expect("state first");
    assert_eq!(first.booking.as_ref().map(|booking| booking.case.as_str()), Some(made.name.as_str()));
    guest.cancels(&made.name).await.expect("cancelled");
    let mut last = first.position;
    loop {
        let message =
            tokio::time::timeout(SETTLES, stream.message()).await.expect("in time").expect("ok").expect("more");
        assert_ne!(message.position, last, "each position once");
        last = message.position;
        if message.booking.is_some_and(|booking| booking.state == "CANCELLED") {
            break;
        }
    }
    inn.close().await;
}

#[tokio::test]
async fn z7_a_timeline_tells_what_happened_and_who_or_which_event_caused_it() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.cancels(&made.name).await.expect("cancelled");
    let cancelled = guest.reservation_in(&made.name, State::Cancelled).await;
    let booking = guest.booking(&cancelled).await.expect("on my page");
    let timeline = eventually("the timeline is whole", || async {
        let request = GetTimelineRequest { name: booking.name.clone() };
        let timeline = guest.my_page().get_timeline(request).await.ok()?.into_inner();
        (timeline.entries.len() >= 6).then_some(timeline)
    })
    .await;
    assert!(!timeline.correlation_id.is_empty());
    let events: Vec<_> =
        timeline.entries.iter().map(|entry| entry.event.rsplit('.').next().unwrap_or_default()).collect();
    for event in [
        "ReservationHeld",
        "PaymentApproved",
        "ReservationConfirmed",
        "ReservationCancelRequested",
        "PaymentRefunded",
        "ReservationCancelled",
    ] {
        assert!(events.contains(&event), "{event} is missing in {events:?}");
    }
    for entry in &timeline.entries {
        assert!(entry.occur_time.is_some());
        match entry.cause.as_ref().expect("a cause") {
            Cause::Actor(actor) => assert!(actor == &guest.name || actor.starts_with("contexts/"), "{actor}"),
            Cause::CauseEvent(event) => assert!(!event.is_empty()),
        }
    }
    let times: Vec<_> =
        timeline.entries.iter().filter_map(|entry| entry.occur_time.map(|at| (at.seconds, at.nanos))).collect();
    assert!(times.is_sorted());
    inn.close().await;
}

#[tokio::test]
async fn z10_the_auditor_finds_what_is_cooked() {
    use sea_orm::ConnectionTrait;
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(2).await;
    guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    inn.audit().await;
    // Somebody takes a bed behind the books' back.
    let nights = inn.database("reservation").await;
    nights
        .transact("cook", |tx| async move {
            tx.execute_unprepared("UPDATE night SET taken = taken + 1").await?;
            Ok(())
        })
        .await
        .expect("cooked");
    let reading = jumak::audit::read(inn.folder(), inn.config(), SignedDuration::ZERO).await.expect("read");
    let findings = jumak::audit::check(&reading);
    assert!(!findings.is_empty(), "two nights hold a unit that nobody has reserved");
    inn.close().await;
}

#[tokio::test]
async fn prices_are_the_servers_and_an_old_price_is_refused() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let mut request = two_nights(&room, Some("tok_approve"));
    request.expected_total = Some(won(1));
    let refused = guest.reservations().create_reservation(request.clone()).await.expect_err("not that price");
    assert_eq!(reason(&refused), "PRICE_CHANGED");
    assert!(refusal(&refused).metadata.get("total").is_some_and(|total| total.contains("180000")), "{refused:?}");
    request.expected_total = Some(won(180_000));
    guest.reservations().create_reservation(request).await.expect("that price");
    inn.close().await;
}

#[tokio::test]
async fn a_filter_that_repeats_itself_ten_thousand_times_is_as_good_as_said_once() {
    use contracts::{
        mypage::v1::{
            ListBookingsRequest,
            booking::{Kind, Phase},
        },
        reservation::v1::ListReservationsRequest,
    };
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let made = guest.books(&host.registers_a_room(1).await, Some("tok_approve")).await.expect("a reservation");
    guest.booking(&made).await.expect("on my page");
    let often = |number: i32| vec![number; 10_000];
    let bookings = ListBookingsRequest {
        parent: "users/me".to_owned(),
        kinds: often(Kind::Reservation.into()),
        phases: often(Phase::Open.into()),
        ..ListBookingsRequest::default()
    };
    assert_eq!(guest.my_page().list_bookings(bookings).await.expect("a list").into_inner().bookings.len(), 1);
    let reservations =
        ListReservationsRequest { states: often(State::Confirmed.into()), ..ListReservationsRequest::default() };
    let listed = guest.reservations().list_reservations(reservations).await.expect("a list").into_inner();
    assert_eq!(listed.reservations.len(), 1);
    inn.close().await;
}
