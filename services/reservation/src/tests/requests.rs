//! Rule R: the same request id replays the first answer; another request is refused.

use std::{sync::atomic::Ordering, time::Duration};

use contracts::reservation::v1::GetReservationRequest;
use mesh::{
    Caller,
    checkout::{State, machine::Outcome},
    requests::{Answer, Request},
};
use tokio::time::Instant;

use super::{House, guest, guest_named, reason, resource};

/// A request with some body under an id.
fn under(caller: &Caller, id: &str, body: &str) -> Option<Request> {
    Request::new(caller, "CreateReservation", id, &GetReservationRequest { name: body.to_owned() })
}

/// As the use case does it: what the id stands for already, or else a new case.
async fn send(
    house: &House,
    caller: &Caller,
    id: &str,
    body: &str,
    token: Option<&str>,
) -> Result<Answer, mesh::Error> {
    let request = under(caller, id, body);
    if let Some(answer) = house.checkout.replay(request.as_ref(), token, caller).await? {
        return Ok(answer);
    }
    house.book_as(caller, house.usual(), token, request).await
}

#[tokio::test]
async fn rule_r_the_same_request_in_sequence_is_one_reservation() {
    let house = House::with_units(5).await;
    let first = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    let second = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_eq!(first, second);
    assert_eq!((house.count().await, house.till.charges(), house.taken().await), (1, 1, vec![1, 1]));
}

#[tokio::test]
async fn rule_r_the_same_request_in_parallel_is_one_reservation() {
    let house = House::with_units(50).await;
    let caller = guest();
    let answers = futures::future::join_all((0..20).map(|_| send(&house, &caller, "id-1", "a", Some("approve")))).await;
    let mut names: Vec<_> = answers.into_iter().map(|answer| resource(answer.expect("an answer")).name).collect();
    names.dedup();
    assert_eq!(names.len(), 1);
    assert_eq!((house.count().await, house.till.charges(), house.taken().await), (1, 1, vec![1, 1]));
}

#[tokio::test]
async fn rule_r_another_request_under_the_same_id_is_refused() {
    let house = House::with_units(5).await;
    send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer");
    assert_eq!(reason(send(&house, &guest(), "id-1", "b", Some("approve")).await), "REQUEST_ID_REUSED");
    assert_eq!(house.count().await, 1);
}

#[tokio::test]
async fn rule_r_another_principal_has_ids_of_their_own() {
    let house = House::with_units(5).await;
    let alice = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    let bob = resource(send(&house, &guest_named("bob"), "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_ne!(alice.name, bob.name);
}

#[tokio::test]
async fn rule_r_a_decline_is_replayed_and_not_tried_again() {
    let house = House::with_units(5).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("decline")).await), "PAYMENT_DECLINED");
    let asked = house.till.asked();
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("decline")).await), "PAYMENT_DECLINED");
    assert_eq!((house.till.asked(), house.count().await), (asked, 1));
}

#[tokio::test]
async fn rule_r_a_request_that_failed_before_the_hold_leaves_no_record() {
    let house = House::with_units(1).await;
    let first = house.booked(None).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("approve")).await), "ROOM_UNAVAILABLE");
    house.cancel(&first.name).await.expect("an answer");
    let booked = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_eq!(booked.state().as_str_name(), "CONFIRMED");
}

#[tokio::test]
async fn rule_r_an_unavailable_payment_frees_the_id_for_another_try() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("not_sent")).await), "PAYMENT_UNAVAILABLE");
    let booked = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_eq!(booked.state().as_str_name(), "CONFIRMED");
    assert_eq!((house.count().await, house.taken().await), (2, vec![1, 1]));
}

#[tokio::test]
async fn rule_r_while_the_case_is_pending_the_same_request_joins_its_payment() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("late")).await), "PAYMENT_PENDING");
    let joined = resource(send(&house, &guest(), "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_eq!(joined.state().as_str_name(), "CONFIRMED");
    assert_eq!((house.count().await, house.till.charges()), (1, 1));
}

#[tokio::test]
async fn rule_r_nobody_waits_for_a_call_that_is_long_over() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_PENDING");
    house.wait(6);
    let begun = Instant::now();
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_PENDING");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rule_r_a_stop_waits_for_nobody_who_only_waits_for_others() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_PENDING");
    let begun = Instant::now();
    let caller = guest();
    let stop = async {
        while house.till.asked() < 2 {
            tokio::task::yield_now().await;
        }
        house.background.announce();
    };
    let (answer, ()) = tokio::join!(send(&house, &caller, "id-1", "a", Some("lost")), stop);
    assert_eq!(reason(answer), "PAYMENT_PENDING");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rule_r_a_caller_who_hangs_up_waits_for_others_no_longer() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_PENDING");
    let caller = guest();
    let mut call = Box::pin(send(&house, &caller, "id-1", "a", Some("lost")));
    let waits = async {
        while house.database.watchers() == 0 {
            assert!(futures::poll!(&mut call).is_pending(), "it waits for the first one");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waits).await.expect("it waits");
    drop(call);
    assert_eq!(house.database.watchers(), 0);
}

#[tokio::test]
async fn rule_r_whoever_was_counted_first_waits_for_others_too() {
    let house = House::with_units(1).await;
    let caller = guest();
    // The first one is counted, and reaches payment when it is at work on the second one's call already.
    let first = send(&house, &caller, "id-1", "a", Some("gate_lost"));
    let second = async {
        while house.till.asked() < 1 {
            tokio::task::yield_now().await;
        }
        send(&house, &caller, "id-1", "a", Some("lost")).await
    };
    let settles = async {
        while house.till.asked() < 2 {
            tokio::task::yield_now().await;
        }
        house.till.open_gate();
        let both_wait = async {
            while house.database.watchers() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), both_wait).await.expect("both wait");
        let name = house.only().await.record.name;
        house.hears(&name, 1, Outcome::Approved).await;
    };
    let (first, second, ()) = tokio::join!(first, second, settles);
    assert_eq!(resource(first.expect("an answer")), resource(second.expect("an answer")));
}

#[tokio::test]
async fn rule_r_whoever_settles_stores_the_answer() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    house.hears(&name, 1, Outcome::Declined).await;
    assert_eq!(house.state(&name).await, State::Rejected);
    house.till.circuit_open.store(true, Ordering::SeqCst);
    let asked = house.till.asked();
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("lost")).await), "PAYMENT_DECLINED");
    assert_eq!(house.till.asked(), asked, "the answer was there; nobody was asked");
}

#[tokio::test]
async fn rule_r_a_hold_is_replayed_as_it_was_first_answered() {
    let house = House::with_units(5).await;
    let held = resource(send(&house, &guest(), "id-1", "a", None).await.expect("an answer"));
    house.pay(&held.name, "approve").await.expect("an answer");
    let replayed = resource(send(&house, &guest(), "id-1", "a", None).await.expect("an answer"));
    assert_eq!(replayed, held);
    assert_eq!(house.count().await, 1);
}

#[tokio::test]
async fn rule_n_a_retry_that_was_not_sent_does_not_end_the_payment_under_way() {
    let house = House::with_units(1).await;
    let caller = guest();
    let first = send(&house, &caller, "id-1", "a", Some("gate"));
    let second = async {
        while house.till.asked() == 0 {
            tokio::task::yield_now().await;
        }
        // In too much of a hurry to wait for what comes of the first call.
        let hurried = Caller { deadline: Instant::now() + Duration::from_millis(500), ..caller.clone() };
        let retry = send(&house, &hurried, "id-1", "a", Some("not_sent")).await;
        let stood = (house.only().await.record.state(), house.taken().await);
        house.till.open_gate();
        (retry, stood)
    };
    let (first, (retry, stood)) = tokio::join!(first, second);
    assert_eq!(reason(retry), "PAYMENT_PENDING");
    assert_eq!(stood, (State::Pending, vec![1, 1]), "the bed stays with the guest whose card is being charged");
    let confirmed = resource(first.expect("an answer"));
    assert_eq!(confirmed.state().as_str_name(), "CONFIRMED");
    let replayed = resource(send(&house, &caller, "id-1", "a", Some("approve")).await.expect("an answer"));
    assert_eq!(replayed, confirmed);
    assert_eq!((house.count().await, house.till.charges()), (1, 1));
}

#[tokio::test]
async fn rule_c_after_asking_to_cancel_a_retry_calls_payment_no_more() {
    let house = House::with_units(1).await;
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("open")).await), "PAYMENT_PENDING");
    let name = house.only().await.record.name;
    house.cancel(&name).await.expect("asked");
    let asked = house.till.asked();
    assert_eq!(reason(send(&house, &guest(), "id-1", "a", Some("approve")).await), "PAYMENT_PENDING");
    assert_eq!((house.till.asked(), house.till.charges()), (asked, 0));
    house.checkout.sweep_once().await.expect("swept");
    let cancelled = house.read(&name).await.record;
    assert_eq!((cancelled.state(), cancelled.refund_amount), (State::Cancelled, None), "nothing was paid");
}
