//! Rules R and N, while payment is at work on an attempt: a second caller waits for what comes of the first one's call.

use std::time::Duration;

use mesh_checkout::checkout::{Case, State, machine::Outcome};
use mesh_foundation::call::Caller;
use tokio::time::Instant;

use super::requests::{send, under};
use crate::lifecycle::{Bench, Seller, answered, caller, create, reason};

/// How long something is waited for that comes at once.
const SOON: Duration = Duration::from_secs(5);

impl<S: Seller> Bench<S> {
    async fn sends(
        &self,
        caller: &Caller,
        token: &str,
    ) -> Result<mesh_store::requests::Answer, mesh_foundation::Error> {
        send(self, caller, "id-1", "a", Some(token)).await
    }

    async fn until_asked(&self, times: u32) {
        while self.till.asked() < times {
            tokio::task::yield_now().await;
        }
    }

    /// Until so many callers wait for what others have called for.
    async fn until_waited(&self, callers: usize) {
        let waits = async {
            while self.database.watchers() < callers {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, waits).await.expect("they wait");
    }
}

pub async fn rule_r_nobody_waits_for_a_call_that_is_long_over<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    assert_eq!(reason(bench.sends(&caller("alice"), "lost").await), "PAYMENT_PENDING");
    bench.wait(6);
    let begun = Instant::now();
    assert_eq!(reason(bench.sends(&caller("alice"), "lost").await), "PAYMENT_PENDING");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

pub async fn rule_r_a_stop_waits_for_nobody_who_only_waits_for_others<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let alice = caller("alice");
    assert_eq!(reason(bench.sends(&alice, "lost").await), "PAYMENT_PENDING");
    let begun = Instant::now();
    let stop = async {
        bench.until_asked(2).await;
        bench.background.announce();
    };
    let (answer, ()) = tokio::join!(bench.sends(&alice, "lost"), stop);
    assert_eq!(reason(answer), "PAYMENT_PENDING");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

pub async fn rule_r_a_caller_who_hangs_up_waits_for_others_no_longer<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let alice = caller("alice");
    assert_eq!(reason(bench.sends(&alice, "lost").await), "PAYMENT_PENDING");
    let mut call = Box::pin(bench.sends(&alice, "lost"));
    let waits = async {
        while bench.database.watchers() == 0 {
            assert!(futures::poll!(&mut call).is_pending(), "it waits for the first one");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, waits).await.expect("it waits");
    drop(call);
    assert_eq!(bench.database.watchers(), 0);
}

pub async fn rule_r_of_two_callers_both_wait_whoever_was_counted_first<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let alice = caller("alice");
    // The first one is counted, and reaches payment when it is at work on the second one's call already.
    let first = bench.sends(&alice, "gate_lost");
    let second = async {
        bench.until_asked(1).await;
        bench.sends(&alice, "lost").await
    };
    let settles = async {
        bench.until_asked(2).await;
        bench.till.open_gate();
        bench.until_waited(2).await;
        let name = bench.only().await.record().name.clone();
        bench.hears(&name, 1, Outcome::Approved).await;
    };
    let (first, second, ()) = tokio::join!(first, second, settles);
    assert_eq!(answered(first), answered(second));
}

pub async fn rule_n_a_retry_that_was_not_sent_does_not_end_the_payment_under_way<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let alice = caller("alice");
    let first = bench.sends(&alice, "gate");
    let second = async {
        bench.until_asked(1).await;
        // In too much of a hurry to wait for what comes of the first call.
        let hurried = Caller { deadline: Instant::now() + Duration::from_millis(500), ..alice.clone() };
        let retry = bench.sends(&hurried, "not_sent").await;
        let stood = (bench.only().await.record().state(), bench.free().await);
        bench.till.open_gate();
        (retry, stood)
    };
    let (first, (retry, stood)) = tokio::join!(first, second);
    assert_eq!(reason(retry), "PAYMENT_PENDING");
    assert_eq!(stood, (State::Pending, 0), "the unit stays with the payer whose card is being charged");
    let first = answered(first);
    let case = bench.only().await;
    assert_eq!((case.record().state(), &first), (State::Confirmed, &bench.shown(&case)));
    assert_eq!(answered(bench.sends(&alice, "approve").await), first);
    assert_eq!((bench.count().await, bench.till.charges()), (1, 1));
}

pub async fn rule_r_a_request_sent_to_two_replicas_at_once_has_one_answer_however_long_payment_takes<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (here, there, alice) = (bench.replica().await, bench.replica().await, caller("alice"));
    let request = under(&alice, "id-1", "a");
    let first = create(&here, bench.case(&alice).await, Some("gate"), request.clone(), &alice);
    let second = async {
        bench.until_asked(1).await;
        let case = bench.case(&alice).await;
        let mut again = Box::pin(create(&there, case, Some("open"), request.clone(), &alice));
        // Time enough to hear that the till is at work on it.
        let early = tokio::time::timeout(Duration::from_millis(300), &mut again).await;
        assert!(early.is_err(), "it is not waited for: {early:?}");
        bench.till.open_gate();
        again.await
    };
    let (first, second) = tokio::join!(first, second);
    let first = answered(first);
    let case = bench.only().await;
    assert_eq!((case.record().state(), &first), (State::Confirmed, &bench.shown(&case)));
    assert_eq!(answered(second), first);
    assert_eq!((bench.count().await, bench.till.charges()), (1, 1));
}
