//! My page off while bookings happen, on again, caught up and equal; and rebuilt from history, equal again.

use contracts::mypage::v1::{Booking, ListBookingsRequest};

use crate::support::{Inn, Person, eventually, setup::Setup};

/// Bookings, with what is of the read model's own time left out.
async fn shown(person: &Person) -> Vec<Booking> {
    let request =
        ListBookingsRequest { parent: "users/me".to_owned(), page_size: 100, ..ListBookingsRequest::default() };
    let mut bookings = person.my_page().list_bookings(request).await.expect("bookings").into_inner().bookings;
    for booking in &mut bookings {
        booking.create_time = None;
        booking.update_time = None;
    }
    bookings.sort_by(|a, b| a.name.cmp(&b.name));
    bookings
}

/// Three stays: one kept, one cancelled and refunded, one declined.
async fn some_history(inn: &Inn) {
    use contracts::reservation::v1::reservation::State;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(3).await;
    guest.books(&room, Some("tok_approve")).await.expect("kept");
    let cancelled = guest.books(&room, Some("tok_approve")).await.expect("made");
    guest.cancels(&cancelled.name).await.expect("cancelled");
    guest.reservation_in(&cancelled.name, State::Cancelled).await;
    guest.books(&room, Some("tok_decline_expired")).await.expect_err("declined");
}

#[tokio::test]
async fn m10_my_page_that_was_off_catches_up_and_equals_the_sources() {
    let inn = Inn::with(Setup::new().without_my_page()).await;
    some_history(&inn).await;
    let inn = inn.rests().await.opens().await;
    // The audit compares my page with the sources, row by row.
    inn.audit().await;
    let shown = shown(&inn.guest("alice")).await;
    let states: Vec<_> = shown.iter().map(|booking| booking.state.as_str()).collect();
    assert_eq!(states, ["CONFIRMED", "CANCELLED", "REJECTED"]);
    inn.close().await;
}

#[tokio::test]
async fn x5_my_page_thrown_away_is_made_again_from_history_and_equal() {
    let inn = Inn::open().await;
    some_history(&inn).await;
    inn.audit().await;
    let before = (shown(&inn.guest("alice")).await, shown(&inn.host("henry")).await);
    assert_eq!((before.0.len(), before.1.len()), (3, 3));
    let mut at_rest = inn.rests().await;
    at_rest.forgets_my_page().await;
    let inn = at_rest.opens().await;
    let (guest, host) = (inn.guest("alice"), inn.host("henry"));
    eventually("my page has heard everything again", || async {
        ((shown(&guest).await, shown(&host).await) == before).then_some(())
    })
    .await;
    inn.audit().await;
    inn.close().await;
}
