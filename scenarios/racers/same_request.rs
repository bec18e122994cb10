//! One request, sent many times at once: a client that is in a hurry, or a network that repeats.

use contracts::reservation::v1::{CreateReservationRequest, reservation::State};
use mesh::{Reason, checkout};

use super::{guests, insists, race};
use crate::support::{
    Inn,
    nights::{stay, two_nights},
};

const TIMES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z3_one_request_sent_fifty_times_at_once_is_one_reservation_and_one_charge() {
    let inn = Inn::open().await;
    // The last unit: the request must not be refused over what it holds itself.
    let room = inn.host("hana").registers_a_room(1).await;
    let request = two_nights(&room, Some("tok_slow_300"));
    let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
    let alice = guests(&inn, 1).await.remove(0);

    let mut answers = race(vec![(alice.clone(), request.clone()); TIMES]).await.into_iter();
    let first = answers.next().expect("an answer").expect("a reservation");
    assert_eq!(first.state(), State::Confirmed);
    for answer in answers {
        assert_eq!(answer.as_ref(), Ok(&first), "all of them are one answer");
    }
    assert_eq!(insists(&alice, &request).await.as_ref(), Ok(&first), "and it stays that answer");
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), 1, "{charges:#?}");

    let other_nights = stay(&room, 5..7, 1, Some("tok_slow_300"));
    let other_card = two_nights(&room, Some("tok_approve"));
    let a_hold = two_nights(&room, None);
    for other in [other_nights, other_card, a_hold] {
        let other = CreateReservationRequest { request_id: "once".to_owned(), ..other };
        let refusal = insists(&alice, &other).await.expect_err("another request");
        assert_eq!(refusal.reason, Reason::REQUEST_ID_REUSED, "{refusal}");
    }

    // The id is hers alone.
    let bob = inn.guest("bob");
    let request =
        CreateReservationRequest { request_id: "once".to_owned(), ..stay(&room, 5..7, 1, Some("tok_approve")) };
    let his = insists(&bob, &request).await.expect("a reservation of his own");
    assert_ne!(his.name, first.name);
    assert_eq!((his.guest, his.state), (bob.name, State::Confirmed as i32));
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), 2, "{charges:#?}");
    inn.audit().await;
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z3_a_declined_request_sent_many_times_at_once_is_declined_once() {
    let inn = Inn::open().await;
    let room = inn.host("hana").registers_a_room(1).await;
    let request = two_nights(&room, Some("tok_decline_expired"));
    let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
    let alice = guests(&inn, 1).await.remove(0);
    let answers = race(vec![(alice, request); TIMES]).await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(answers[0].as_ref().expect_err("a refusal").reason, checkout::reasons::PAYMENT_DECLINED);
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.len(), 1, "{charges:#?}");
    inn.audit().await;
    inn.close().await;
}
