//! The bus loses all that it held, while things happen.

use std::time::Instant;

use jumak::house::Member;
use mesh::Role;

use super::{caller, options, shows_what_is};
use crate::{
    kill::busy::Crowd,
    support::{Inn, SETTLES, house::forget_my_page},
};

/// Guests who are busy meanwhile.
const GUESTS: usize = 4;
/// Answers that they get each time before something else is done.
const ANSWERS: usize = 12;

#[tokio::test]
async fn z5_a_stream_that_is_lost_altogether_is_filled_again_from_the_outboxes() {
    let inn = Inn::in_mesh(options()).await;
    let room = inn.host("hana").registers_a_room(10_000).await;
    let guest = async |name: &str| caller(&inn, name, &[Role::Guest]).await;

    let busy = Crowd::of(GUESTS, &room).begins(&guest).await;
    busy.are_answered(ANSWERS).await;
    inn.mesh().await.nats().wipe().expect("wiped");
    // Whoever books needs no bus.
    busy.are_answered(ANSWERS).await;
    inn.mesh().await.nats().start_again().await.expect("it starts again");
    let back = Instant::now();
    busy.are_answered(ANSWERS).await;
    let mut crowd = busy.end().await;
    inn.audit().await;
    println!("filled again after {:.1?}", back.elapsed());
    assert!(back.elapsed() < SETTLES, "all had settled only after {:?}", back.elapsed());
    crowd.checks(&guest).await.is_charged(&inn.person("auditor", &[Role::Admin])).await;

    // The audit has seen that everybody heard everything, before or after. That the stream holds all of it again is seen by one who
    // has to hear it from the beginning.
    {
        let mut mesh = inn.mesh().await;
        mesh.kill(Member::MYPAGE, 0).expect("it ran");
        forget_my_page(&mesh).await;
        mesh.restart(Member::MYPAGE, 0, Vec::new()).await.expect("it starts again");
    }
    inn.audit().await;
    for number in 0..GUESTS {
        shows_what_is(&guest(&format!("guest-{number}")).await).await;
    }
    inn.close().await;
}
