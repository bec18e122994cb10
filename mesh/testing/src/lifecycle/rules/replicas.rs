//! Several replicas of the context on one database: each has its own connections, and nothing else tells them of one another.

use std::time::Duration;

use futures::future::join_all;
use mesh_checkout::checkout::{Asks, Cancels, Case, Scope, State};

use super::steps::{has_taken_step, step_at};
use crate::lifecycle::{Bench, Seller, actor, caller, create, reason};

pub async fn the_last_unit_is_sold_once_over_several_replicas<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let replicas = [bench.replica().await, bench.replica().await, bench.replica().await, bench.replica().await];
    let begun = (0..120).map(|number| {
        let (replica, bench) = (&replicas[number % replicas.len()], &bench);
        async move {
            let payer = caller(&format!("payer{number}"));
            create(replica, bench.case(&payer).await, Some("approve"), None, &payer).await
        }
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(begun).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 119));
    for outcome in lost {
        assert_eq!(reason(outcome), S::SOLD_OUT.as_str());
    }
    assert_eq!((bench.count().await, bench.free().await, bench.till.charges()), (1, 0, 1));
}

pub async fn rule_t_a_step_and_a_cancellation_at_once_happen_one_after_the_other<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (here, there) = (bench.replica().await, bench.replica().await);
    for round in 0..30 {
        let (name, before) = (bench.sold(Some("approve")).await.record().name.clone(), bench.told().await.len());
        let cancels = Cancels { asks: Asks::User("users/alice"), cause: None, reason: "", waits: Duration::ZERO };
        let actor = actor();
        let step = step_at::<S>(&here, &name, None);
        let cancel = there.cancel(&name, Scope::All, cancels, None, &actor);
        // Polled in turn to begin with the one or the other.
        let (step, cancel) = if round % 2 == 0 {
            tokio::join!(biased; step, cancel)
        } else {
            let (cancel, step) = tokio::join!(biased; cancel, step);
            (step, cancel)
        };
        cancel.unwrap();
        let case = bench.read(&name).await;
        assert_eq!(case.record().state(), State::CancelRequested, "the cancellation is not lost");
        let told = bench.told().await.split_off(before);
        match step {
            Ok(_) => assert_eq!(told, ["Step", "CancelRequested"]),
            refused => {
                assert_eq!(reason(refused), "ILLEGAL_TRANSITION");
                assert_eq!(told, ["CancelRequested"]);
            }
        }
        assert_eq!(has_taken_step::<S>(&case), told.len() == 2);
        assert_eq!(bench.free().await, 1);
    }
}
