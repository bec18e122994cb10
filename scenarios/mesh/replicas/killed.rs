//! One of two replicas is killed in the middle of a batch, and the other one does what it left.

use contracts::reservation::v1::CreateReservationRequest;
use futures::StreamExt;
use jumak::house::Member;
use mesh::killpoint::KillPoint;

use super::{inn_of_two, stream::assert_holds_each_event_once};
use crate::{
    mesh::{
        answers::stands,
        insisting::{Booked, connections_to, guest_over, insists},
        meters::Meters,
    },
    support::{Inn, eventually, nights::two_nights},
};

const BOOKINGS: usize = 40;
const AT_ONCE: usize = 4;

/// Who dies where: with events on the bus that are not marked, and with effects committed that are not acknowledged.
const DEATHS: [(Member, KillPoint); 3] = [
    (Member::Reservation, KillPoint::AfterPublish),
    (Member::Room, KillPoint::BeforeAck),
    (Member::Mypage, KillPoint::BeforeAck),
];

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
    let booked: Vec<Booked> = futures::stream::iter(0..BOOKINGS)
        .map(|number| {
            // Half of them begin at the one that dies.
            let at = [&at[number % 2], &at[(number + 1) % 2]];
            let guest = at.map(|at| guest_over(&inn, at, &format!("guest-{number}")));
            let request = two_nights(&room, Some("tok_approve"));
            let request = CreateReservationRequest { request_id: "once".to_owned(), ..request };
            async move { insists(&guest, request).await }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (member, point) in DEATHS {
        dies(&inn, member, point).await;
    }
    let again = booked.iter().filter(|booked| booked.again > 0).count();
    println!("{BOOKINGS} booked, {again} of them at the second try or a later one");

    // Everything that the dead ones had begun is done by those who live.
    inn.audit().await;
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.iter().filter(|charge| stands(charge)).count(), BOOKINGS);
    assert_eq!(charges.len(), BOOKINGS, "one charge for each: {charges:#?}");
    for member in [Member::Room, Member::Mypage] {
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

async fn dies(inn: &Inn, member: Member, point: KillPoint) {
    let status = eventually(format!("{member} 1 dies at {}", point.name()), || async {
        inn.mesh().await.replica(member, 1).expect("a replica").ended().expect("its status")
    });
    let status = status.await;
    let said = inn.mesh().await.replica(member, 1).expect("a replica").said();
    assert!(!status.success() && said.contains(&format!("kill point {} fired", point.name())), "{status}: {said}");
}
