//! Processes and servers are killed at no point in particular, while guests book and cancel: every answer that was given stays true.

use std::time::{Duration, Instant};

use jumak::house::Member;
use local_mesh::{LocalMesh, Options, Servers};
use mesh::Role;
use proptest::{
    prelude::RngExt,
    test_runner::{RngAlgorithm, TestRng},
};

use super::{caller, options, shows_what_is};
use crate::{
    kill::busy::Crowd,
    support::{Inn, SETTLES},
};

/// Guests who are busy meanwhile.
const GUESTS: usize = 4;
/// Answers that they have to get again once everything is back.
const AFTERWARDS: usize = 8;

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Context(Member),
    Nats,
    Postgres,
    MariaDb,
}

/// All of them: the contexts as they call one another, and then what is under them.
fn victims() -> Vec<Victim> {
    Member::ALL.into_iter().map(Victim::Context).chain([Victim::Nats, Victim::Postgres, Victim::MariaDb]).collect()
}

impl Victim {
    fn is_killed(self, mesh: &mut LocalMesh) {
        match self {
            Self::Context(member) => mesh.kill(member, 0).expect("it ran"),
            Self::Nats => mesh.nats().kill(),
            Self::Postgres => mesh.postgres().expect("its own").kill(),
            Self::MariaDb => mesh.mariadb().expect("its own").kill(),
        }
    }

    async fn is_back(self, mesh: &mut LocalMesh) {
        let back = match self {
            Self::Context(member) => mesh.restart(member, 0, Vec::new()).await,
            Self::Nats => mesh.nats().start_again().await,
            Self::Postgres => mesh.postgres().expect("its own").start_again().await,
            Self::MariaDb => mesh.mariadb().expect("its own").start_again().await,
        };
        back.unwrap_or_else(|error| panic!("{self:?} does not start again: {error:#}"));
    }
}

#[tokio::test]
async fn z5_no_answer_is_lost_when_any_process_or_server_is_killed_at_random_under_load() {
    let inn = Inn::in_mesh(Options { servers: Servers::Own, ..options() }).await;
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let room = inn.host("hana").registers_a_room(10_000).await;
    let mut crowd = Crowd::of(GUESTS, &room);
    let guest = async |name: &str| caller(&inn, name, &[Role::Guest]).await;

    for victim in victims() {
        let busy = crowd.begins(&guest).await;
        // The moment is the dice's: after so many answers, wherever the other calls are by then.
        busy.are_answered(dice.random_range(3..16)).await;
        victim.is_killed(&mut *inn.mesh().await);
        // How long it is away is the dice's as well. Nothing has to happen meanwhile.
        tokio::time::sleep(Duration::from_millis(dice.random_range(100..1_500))).await;
        victim.is_back(&mut *inn.mesh().await).await;
        let back = Instant::now();
        busy.are_answered(AFTERWARDS).await;
        let answers = back.elapsed();
        crowd = busy.end().await;
        inn.audit().await;
        let settled = back.elapsed();
        println!("{victim:?}: {AFTERWARDS} answers after {answers:.1?}, all settled after {settled:.1?}");
        assert!(settled < SETTLES, "{victim:?}: all had settled only after {settled:?}");
    }

    let tally = crowd.checks(&guest).await;
    println!("{tally:?}");
    inn.audit().await;
    tally.is_charged(&inn.person("auditor", &[Role::Admin])).await;
    for number in 0..GUESTS {
        shows_what_is(&guest(&format!("guest-{number}")).await).await;
    }
    inn.close().await;
}
