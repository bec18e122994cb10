//! The disk of payment's MariaDB is full for a while: nothing is lost, nobody is told of a failure of ours, no event is put aside, and
//! all that was begun settles once there is room again.

use std::time::{Duration, Instant};

use jumak::house::Member;
use local_mesh::{Options, Servers};
use mesh::Role;

use super::{caller, options};
use crate::{
    kill::busy::Crowd,
    support::{Inn, SETTLES},
};

/// Guests who book and cancel all the time.
const GUESTS: usize = 8;
/// Answers that they get first, and again once there is room.
const ANSWERS: usize = 30;
/// For how long there is no room.
const FULL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_loses_nothing_and_all_settles_once_there_is_room() {
    let inn = Inn::in_mesh(Options { servers: Servers::Tight, ..options() }).await;
    let room = inn.host("hana").registers_a_room(10_000).await;
    let guest = async |name: &str| caller(&inn, name, &[Role::Guest]).await;
    let busy = Crowd::of(GUESTS, &room).begins(&guest).await;
    busy.are_answered(ANSWERS).await;

    inn.mesh().await.mariadb().expect("its own").fill().await.expect("it is full");
    tokio::time::sleep(FULL).await;
    inn.mesh().await.mariadb().expect("its own").make_room().await.expect("there is room");
    let healed = Instant::now();
    busy.are_answered(ANSWERS).await;
    let answered = healed.elapsed();
    let mut crowd = busy.end().await;
    inn.audit().await;
    let settled = healed.elapsed();
    println!("{ANSWERS} answers {answered:.1?} after there was room, and all settled after {settled:.1?}");
    assert!(settled < SETTLES, "all had settled only after {settled:?}");

    let log = |member: Member| {
        let file = inn.folder().path().join("logs").join(format!("{member}-0.log"));
        std::fs::read_to_string(file).expect("a log")
    };
    let payment = log(Member::PAYMENT);
    assert!(payment.contains("1114"), "the server never said that it is full");
    for ours in ["call failed with an internal error", "stored an event as a dead letter"] {
        let lines: Vec<&str> = payment.lines().filter(|line| line.contains(ours)).take(3).collect();
        assert_eq!(lines, Vec::<&str>::new(), "{ours}");
    }
    crowd.checks(&guest).await.is_charged(&inn.person("auditor", &[Role::Admin])).await;
    inn.close().await;
}
