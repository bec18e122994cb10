//! Row X4: two processes of each context share its work, and what both could do is done once.

mod killed;
mod stream;

use std::collections::BTreeSet;

use contracts::{
    mypage::v1::GetTimelineRequest,
    reservation::v1::{CreateReservationRequest, Reservation, reservation::State},
};
use futures::StreamExt;
use jiff::SignedDuration;
use jumak::house::Member;
use local_mesh::Options;
use mesh::store::entity::inbox;
use sea_orm::{EntityTrait, PaginatorTrait};

use super::{
    answers::stands,
    insisting::{connections_to, guest_over, insists},
    meters::{Counted, Meters, scraped},
    options,
};
use crate::support::{Inn, Person, nights::two_nights, setup::Setup};

/// Bookings of the first scenario, half of them at each replica.
const BOOKINGS: usize = 60;
/// Of those, what is cancelled.
const CANCELLED: usize = 20;
/// Calls at once.
const AT_ONCE: usize = 6;
/// Requests that are sent to both at once.
const REQUESTS: usize = 20;

/// Two processes of each context, each of which can be scraped.
async fn inn_of_two() -> Inn {
    Inn::in_mesh(Options { replicas: 2, config: scraped(Setup::new()).config, ..options() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_two_replicas_share_the_work_and_each_event_has_its_effect_once() {
    let inn = inn_of_two().await;
    let room = inn.host("hana").registers_a_room(1_000).await;
    let at = [connections_to(&inn, 0).await, connections_to(&inn, 1).await];
    let booked: Vec<(Person, Reservation)> = futures::stream::iter(0..BOOKINGS)
        .map(|number| {
            let guest = guest_over(&inn, &at[number % 2], &format!("guest-{number}"));
            let room = &room;
            async move {
                let stay = guest.books(room, Some("tok_approve")).await.expect("a stay");
                (guest, stay)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (cancelled, kept) = booked.split_at(CANCELLED);
    for (guest, stay) in cancelled {
        guest.cancels(&stay.name).await.expect("cancelled");
        guest.reservation_in(&stay.name, State::Cancelled).await;
    }
    inn.audit().await;

    for (parties, is_cancelled) in [(cancelled, true), (kept, false)] {
        for (guest, stay) in parties {
            assert_eq!(timeline(guest, stay).await, expected_timeline(is_cancelled), "{}", stay.name);
        }
    }
    let (charges, refunds) = inn.provider_books().await;
    let standing = charges.iter().filter(|charge| stands(charge)).count();
    assert_eq!((charges.len(), refunds.len(), standing), (BOOKINGS, CANCELLED, BOOKINGS - CANCELLED));
    assert_work_is_shared(&inn).await;
    stream::assert_holds_each_event_once(&inn).await;
    inn.close().await;
}

/// What happened to a booking, in the order of the alphabet: that in which it happened is told elsewhere.
async fn timeline(guest: &Person, stay: &Reservation) -> Vec<String> {
    let id = stay.name.trim_start_matches("reservations/");
    let request = GetTimelineRequest { name: format!("users/me/bookings/{id}") };
    let timeline = guest.my_page().get_timeline(request).await.expect("a timeline").into_inner();
    let mut events: Vec<String> = timeline.entries.into_iter().map(|entry| entry.event).collect();
    events.sort_unstable();
    events
}

fn expected_timeline(is_cancelled: bool) -> Vec<&'static str> {
    let mut events = vec![
        "jumak.payment.v1.PaymentApproved",
        "jumak.reservation.v1.ReservationConfirmed",
        "jumak.reservation.v1.ReservationHeld",
    ];
    if is_cancelled {
        events.extend([
            "jumak.payment.v1.PaymentRefunded",
            "jumak.reservation.v1.ReservationCancelRequested",
            "jumak.reservation.v1.ReservationCancelled",
        ]);
    }
    events.sort_unstable();
    events
}

/// By what they count themselves, both replicas have published and handled, and together each event once.
async fn assert_work_is_shared(inn: &Inn) {
    let events = jumak::audit::read(inn.folder(), inn.config(), SignedDuration::ZERO).await.expect("the books").events;
    for member in Member::ALL.into_iter().filter(|member| member.uses_bus()) {
        let counted = [Meters::of(inn, member, 0).read().await, Meters::of(inn, member, 1).read().await];
        let each = |name: &str| counted.each_ref().map(|counted: &Counted| counted.sum(name, &[]) as usize);
        let published = each("jumak_relay_published_total");
        let handled = each("jumak_consumer_handled_total");
        let (unknown, duplicates) = (each("jumak_consumer_unknown_total"), each("jumak_consumer_duplicates_total"));
        let inbox = inbox::Entity::find().count(inn.database(member.name()).await.read()).await.expect("a count");
        println!("{member}: published {published:?}, handled {handled:?}, not of its concern {unknown:?}");
        let sum = |each: [usize; 2]| each[0] + each[1];
        assert_eq!(sum(duplicates), 0, "{member} was told something twice");
        assert_eq!(
            sum(handled) + sum(unknown),
            usize::try_from(inbox).expect("a number"),
            "{member} handled some twice"
        );
        let told = events.iter().filter(|told| told.context == member.name()).count();
        assert_eq!(sum(published), told, "{member} published some twice");
        // Room tells of one room only, which is one replica's work; payment hears of cancellations only.
        let is_busy = |each: [usize; 2]| each.iter().all(|count| *count > 0);
        if [Member::RESERVATION, Member::PAYMENT].contains(&member) {
            assert!(is_busy(published), "one {member} has published everything: {published:?}");
        }
        if member != Member::PAYMENT {
            assert!(is_busy(handled), "one {member} has handled everything: {handled:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z3_a_request_sent_to_both_replicas_at_once_is_one_reservation_and_one_charge() {
    let inn = inn_of_two().await;
    let room = inn.host("hana").registers_a_room(1_000).await;
    let at = [connections_to(&inn, 0).await, connections_to(&inn, 1).await];
    let (mut reservations, mut told_to_wait) = (BTreeSet::new(), 0);
    for number in 0..REQUESTS {
        let [one, other] = at.each_ref().map(|at| guest_over(&inn, at, &format!("guest-{number}")));
        let request = two_nights(&room, Some("tok_slow_200"));
        let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
        let ([one, other], again) = ([[one], [other]], request.clone());
        let (first, second) = tokio::join!(insists(&one, request), insists(&other, again));
        assert_eq!(first.reservation, second.reservation, "both answers are of one reservation");
        told_to_wait += first.again.min(1) + second.again.min(1);
        reservations.insert(first.reservation.name);
    }
    println!("{REQUESTS} requests to both replicas at once: {told_to_wait} were told to ask again");
    assert_eq!(reservations.len(), REQUESTS);
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), REQUESTS, "{charges:#?}");
    inn.audit().await;
    inn.close().await;
}
