//! A process is told to stop in the middle of checkouts: it finishes them, ends with 0, and nobody loses anything.

mod rolling;

use contracts::reservation::v1::{CreateReservationRequest, reservation::State};
use jumak::house::Member;
use tokio::{task::JoinSet, time::Instant};

use super::{
    answers::{ms, reservations_of, stands},
    insisting::insists,
    options,
};
use crate::support::{Inn, Person, eventually, nights::two_nights};

/// Guests who pay when a process is told to stop.
const GUESTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x9_a_process_told_to_stop_in_the_middle_of_checkouts_finishes_them_and_ends_with_zero() {
    let inn = Inn::in_mesh(options()).await;
    let room = inn.host("hana").registers_a_room(100).await;
    let mut everybody: Vec<Person> = Vec::new();
    // One after the other. The provider is another company's.
    for member in Member::ALL.into_iter().rev().filter(|member| member.uses_bus()) {
        let guests: Vec<Person> = (0..GUESTS).map(|number| inn.guest(&format!("{member}-{number}"))).collect();
        let mut busy = JoinSet::new();
        for guest in &guests {
            let request = two_nights(&room, Some("tok_slow_500"));
            let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
            let guest = [guest.clone()];
            busy.spawn(async move { insists(&guest, request).await });
        }
        let under_way = everybody.len() + GUESTS;
        eventually("all of them pay", || async { (inn.provider_books().await.0.len() == under_way).then_some(()) })
            .await;

        let (told, mut mesh) = (Instant::now(), inn.mesh().await);
        let replica = mesh.replica(member, 0).expect("a replica");
        replica.terminate().expect("it runs");
        let status = replica.ends().await.expect("it ends");
        let took = told.elapsed();
        assert!(status.success(), "{member} ended with {status}: {}", replica.said());
        replica.start_again().expect("it starts again");
        replica.ready().await.expect("it is ready");
        drop(mesh);

        let booked = busy.join_all().await;
        let again: usize = booked.iter().map(|booked| booked.again).sum();
        println!("{member} ended {} after it was told to; {again} requests were sent again", ms(took));
        assert_eq!(again, 0, "what {member} had in hand when it was told to stop was not answered");
        everybody.extend(guests);
    }

    for guest in &everybody {
        let states: Vec<State> = reservations_of(guest).await.iter().map(|one| one.state()).collect();
        assert_eq!(states, [State::Confirmed], "{}", guest.name);
    }
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.iter().filter(|charge| stands(charge)).count(), everybody.len());
    inn.audit().await;
    inn.close().await;
}
