//! Killed at no point in particular, while guests book and cancel: every answer that was given stays true.

use mesh::Role;
use proptest::{
    prelude::RngExt,
    test_runner::{RngAlgorithm, TestRng},
};

use super::busy::Crowd;
use crate::support::process::{Process, audit_at_rest};

/// How often the process is killed.
const DEATHS: usize = 6;
/// Guests who are busy meanwhile.
const GUESTS: usize = 4;

#[tokio::test]
async fn z5_no_answer_is_lost_when_the_process_is_killed_at_random_under_load() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut process = Process::start(data.path(), &[]).await;
    let host = process.person(&process.connect().await, "hana", &[Role::Host]);
    let room = host.registers_a_room(1_000).await;
    let mut crowd = Crowd::of(GUESTS, &room);

    for _ in 0..DEATHS {
        let busy = crowd.begins(async |name| process.person(&process.connect().await, name, &[Role::Guest])).await;
        // The moment is the dice's: after so many answers, wherever the other calls are by then.
        busy.are_answered(dice.random_range(3..16)).await;
        process.kill();
        crowd = busy.end().await;
        process = Process::start(data.path(), &[]).await;
    }

    let channel = process.connect().await;
    let tally = crowd.checks(async |name| process.person(&channel, name, &[Role::Guest])).await;
    process.audit().await;
    let admin = process.person(&channel, "auditor", &[Role::Admin]);
    tally.is_charged(&admin).await;
    let (charges, refunds) = admin.provider_books().await;
    let made = tally.booked + tally.cancelled;
    assert_eq!((charges.len(), refunds.len()), (made, tally.cancelled), "one charge for each, one refund");
    process.stops().await;
    audit_at_rest(data.path());
}
