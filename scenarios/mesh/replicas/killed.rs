//! One of two replicas is killed in the middle of a batch, and the other one does what it left.

use std::process::ExitStatus;

use contracts::reservation::v1::CreateReservationRequest;
use futures::StreamExt;
use jumak::house::Member;
use mesh::{consumer::BEFORE_ACK, killpoint::KillPoint, relay::AFTER_PUBLISH};

use super::{inn_of_two, stream::assert_holds_each_event_once};
use crate::{
    mesh::{
        answers::stands,
        insisting::{Booked, connections_to, guest_over, insists},
        meters::Meters,
    },
    support::{Inn, eventually, nights::two_nights},
};

/// Bookings of one round. Which replica gets how many batches is a matter of luck: there are rounds until each has had enough to die.
const ROUND: usize = 40;
const MAX_ROUNDS: usize = 5;
const AT_ONCE: usize = 4;

/// Who dies where: with events on the bus that are not marked, and with effects committed that are not acknowledged.
const DEATHS: [(Member, KillPoint); 3] =
    [(Member::RESERVATION, AFTER_PUBLISH), (Member::ROOM, BEFORE_ACK), (Member::MYPAGE, BEFORE_ACK)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_a_replica_killed_in_the_middle_of_a_batch_leaves_it_to_the_other_and_nothing_is_done_twice() {
    let inn = inn_of_two().await;
    let room = inn.host("hana").registers_a_room(1_000).await;
    for (member, point) in DEATHS {
        // Not the first batch: what was settled before must stay so.
        let armed = vec![("JUMAK_KILL_POINT".to_owned(), format!("{}:5", point.name()))];
        inn.mesh().await.restart(member, 1, armed).await.expect("it starts again");
    }
    let at = [connections_to(&inn, 0).await, connections_to(&inn, 1).await];
    let mut booked: Vec<Booked> = Vec::new();
    // How a process ended is told once.
    let mut ends = [None; DEATHS.len()];
    for round in 0..MAX_ROUNDS {
        let bookings = futures::stream::iter(round * ROUND..(round + 1) * ROUND).map(|number| {
            // Half of them begin at the one that dies.
            let at = [&at[number % 2], &at[(number + 1) % 2]];
            let guest = at.map(|at| guest_over(&inn, at, &format!("guest-{number}")));
            let request = two_nights(&room, Some("tok_approve"));
            let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
            async move { insists(&guest, request).await }
        });
        booked.extend(bookings.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
        for ((member, _), end) in DEATHS.into_iter().zip(&mut ends) {
            *end = end.or(has_died(&inn, member).await);
        }
        if ends.iter().all(Option::is_some) {
            break;
        }
    }
    for ((member, point), end) in DEATHS.into_iter().zip(ends) {
        dies(&inn, member, point, end).await;
    }
    let bookings = booked.len();
    let again = booked.iter().filter(|booked| booked.again > 0).count();
    println!("{bookings} booked, {again} of them at the second try or a later one");

    // Everything that the dead ones had begun is done by those who live.
    inn.audit().await;
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.iter().filter(|charge| stands(charge)).count(), bookings);
    assert_eq!(charges.len(), bookings, "one charge for each: {charges:#?}");
    for member in [Member::ROOM, Member::MYPAGE] {
        let counted = Meters::of(&inn, member, 0).read().await;
        let duplicates = counted.sum("jumak_consumer_duplicates_total", &[]);
        println!("{member} passed over {duplicates} events that the other one had handled");
        assert!(duplicates > 0.0, "{member} died with nothing in hand");
    }
    assert_holds_each_event_once(&inn).await;
    for (member, _) in DEATHS {
        inn.mesh().await.restart(member, 1, Vec::new()).await.expect("it starts again");
    }
    inn.audit().await;
    inn.close().await;
}

async fn dies(inn: &Inn, member: Member, point: KillPoint, end: Option<ExitStatus>) {
    let status = match end {
        Some(status) => status,
        None => eventually(format!("{member} 1 dies at {}", point.name()), || has_died(inn, member)).await,
    };
    let said = inn.mesh().await.replica(member, 1).expect("a replica").said();
    assert!(!status.success() && said.contains(&format!("kill point {} fired", point.name())), "{status}: {said}");
}

async fn has_died(inn: &Inn, member: Member) -> Option<ExitStatus> {
    inn.mesh().await.replica(member, 1).expect("a replica").ended().expect("its status")
}
