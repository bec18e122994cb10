//! Rule K: where somebody else may have begun to fulfil a case, they decide whether its payer can still cancel it.

use std::time::Duration;

use mesh_checkout::checkout::{Asks, By, Cancels, Case, Scope, State, Verdict, machine::Outcome};
use mesh_foundation::error::Error;
use mesh_store::requests::{Answer, Request};
use tokio::time::Instant;

use super::steps::step_at;
use crate::lifecycle::{Bench, CaseOf, Seller, answered, caller, judge_at, reason};

const LONG: Duration = Duration::from_secs(60);

/// A paid case.
async fn paid<S: Seller>() -> (Bench<S>, CaseOf<S>) {
    let bench = Bench::<S>::with_units(1).await;
    let case = bench.sold(Some("approve")).await;
    (bench, case)
}

/// Its payer asks to cancel it under that request id, and listens for so long.
async fn ask<S: Seller>(bench: &Bench<S>, name: &str, id: Option<&str>, waits: Duration) -> Result<Answer, Error> {
    let alice = caller("alice");
    let cancels = Cancels { asks: Asks::User("users/alice"), cause: None, reason: "plans changed", waits };
    let request = id.and_then(|id| Request::new(&alice, "Cancel", id, &"a".to_owned()));
    bench.checkout.cancel(name, Scope::All, cancels, request, &alice.actor()).await
}

pub async fn rule_k_asking_gives_nothing_back_and_promises_nothing<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let (name, asked) = (&case.record().name, bench.till.asked());
    for again in [false, true] {
        let answer = answered(bench.cancel(name).await);
        let stands = bench.read(name).await;
        assert_eq!(answer, bench.shown(&stands));
        let record = stands.record();
        assert_eq!((record.state(), record.cancel_time), (State::Confirmed, Some(bench.clock.now())));
        assert_eq!(record.version, case.record().version + 1, "asking again is harmless: {again}");
        assert_eq!((bench.free().await, bench.till.asked()), (0, asked));
    }
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelAsked"]);
}

pub async fn rule_k_what_was_stopped_is_cancelled_and_gives_back_what_was_promised_when_it_was_asked<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let name = &case.record().name;
    answered(bench.cancel(name).await);
    // Long enough for any policy to give less.
    bench.wait(3_600 * 24 * 30);
    for _ in 0..3 {
        let cancelled = bench.hears_verdict(name, Verdict::Stopped).await;
        assert_eq!((cancelled.record().state(), bench.free().await), (State::CancelRequested, 1));
        assert_eq!(cancelled.record().refund_amount, Some(case.record().total));
    }
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelAsked", "CancelRequested"]);
}

pub async fn rule_k_what_was_begun_stays_as_if_nobody_had_asked<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let name = &case.record().name;
    answered(bench.cancel(name).await);
    let mut stands = bench.hears_verdict(name, Verdict::Begun).await;
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelAsked", "CancelRefused"]);
    assert_eq!(bench.free().await, 0);
    let record = stands.record_mut();
    assert_eq!(record.version, case.record().version + 2);
    record.version = case.record().version;
    record.update_time = case.record().update_time;
    assert_eq!(stands, case);
}

pub async fn rule_k_whoever_asks_waits_for_the_verdict<S: Seller>() {
    for (verdict, expected) in [(Verdict::Stopped, None), (Verdict::Begun, Some("CANCELLATION_CLOSED"))] {
        let (bench, case) = paid::<S>().await;
        let name = &case.record().name;
        let decide = async {
            while bench.read(name).await.record().cancel_time.is_none() {
                tokio::task::yield_now().await;
            }
            bench.hears_verdict(name, verdict).await
        };
        let (answer, decided) = tokio::join!(ask(&bench, name, None, LONG), decide);
        match expected {
            None => assert_eq!(answered(answer), bench.shown(&decided)),
            Some(expected) => assert_eq!(reason(answer), expected),
        }
    }
}

pub async fn rule_k_a_wish_that_nobody_decides_is_answered_as_it_stands<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let (name, begun) = (&case.record().name, Instant::now());
    let answer = answered(ask(&bench, name, Some("id-1"), LONG).await);
    assert_eq!(answer, bench.shown(&bench.read(name).await));
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(1_900) && waited < Duration::from_secs(20), "{waited:?}");
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelAsked"]);
}

pub async fn rule_k_a_request_is_answered_by_the_verdict_however_often_it_is_sent<S: Seller>() {
    for (verdict, expected) in [(Verdict::Stopped, None), (Verdict::Begun, Some("CANCELLATION_CLOSED"))] {
        let (bench, case) = paid::<S>().await;
        let name = &case.record().name;
        let undecided = answered(ask(&bench, name, Some("id-1"), Duration::ZERO).await);
        assert_eq!(undecided, bench.shown(&bench.read(name).await));
        let decided = bench.hears_verdict(name, verdict).await;
        // Whatever becomes of the case since.
        let host = case.record().payee.clone();
        answered(bench.cancel_as(name, Asks::User(&host), None).await);
        for _ in 0..2 {
            let again = ask(&bench, name, Some("id-1"), LONG).await;
            match expected {
                None => assert_eq!(answered(again), bench.shown(&decided)),
                Some(expected) => assert_eq!(reason(again), expected),
            }
        }
    }
}

pub async fn rule_k_each_of_two_requests_is_answered_by_the_verdict_that_both_waited_for<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let there = bench.replica().await;
    for round in 0..20 {
        let case = bench.sold(Some("approve")).await;
        let name = &case.record().name;
        let (first, second) = (format!("one-{round}"), format!("two-{round}"));
        answered(ask(&bench, name, Some(&first), Duration::ZERO).await);
        let again = ask(&bench, name, Some(&second), LONG);
        let verdict = judge_at::<S>(&there, &bench.database, name, Verdict::Begun);
        // Polled in turn to begin with the one or the other.
        let again = if round % 2 == 0 {
            tokio::join!(biased; again, verdict).0
        } else {
            tokio::join!(biased; verdict, again).1
        };
        let was_asked_anew = again.is_ok();
        if was_asked_anew {
            bench.hears_verdict(name, Verdict::Begun).await;
        }
        // A later wish is granted. It changes nothing of what the earlier ones were told.
        answered(ask(&bench, name, Some(&format!("three-{round}")), Duration::ZERO).await);
        bench.hears_verdict(name, Verdict::Stopped).await;
        for id in [&first, &second] {
            assert_eq!(reason(ask(&bench, name, Some(id), LONG).await), "CANCELLATION_CLOSED", "{id}");
        }
    }
}

pub async fn rule_k_whoever_but_the_payer_needs_no_judge_and_replaces_the_wish<S: Seller>() {
    for asked_before in [false, true] {
        let (bench, case) = paid::<S>().await;
        let name = &case.record().name;
        if asked_before {
            answered(ask(&bench, name, Some("id-1"), Duration::ZERO).await);
        }
        let agent = Asks::User("users/an-agent");
        answered(bench.cancel_as(name, agent, None).await);
        let cancelled = bench.read(name).await;
        let record = cancelled.record();
        assert_eq!((record.state(), bench.free().await), (State::CancelRequested, 1));
        assert_eq!(record.refund_amount, Some(record.total));
        assert_eq!(record.cancellation.map(|cancellation| cancellation.party), Some(By::Agent));
        if asked_before {
            let answer = answered(ask(&bench, name, Some("id-1"), LONG).await);
            assert_eq!(answer, bench.shown(&cancelled), "whoever waits is answered by it");
        }
        let told = bench.told().await;
        assert_eq!(told.last(), Some(&"CancelRequested"));
        bench.hears_verdict(name, Verdict::Begun).await;
        assert_eq!(bench.told().await, told, "their verdict comes too late");
    }
}

pub async fn rule_k_a_verdict_that_nobody_waits_for_changes_nothing<S: Seller>() {
    let bench = Bench::<S>::with_units(3).await;
    let paid = bench.sold(Some("approve")).await;
    let held = bench.sold(None).await;
    for case in [paid, held] {
        for verdict in [Verdict::Stopped, Verdict::Begun] {
            assert_eq!(bench.hears_verdict(&case.record().name, verdict).await, case);
        }
    }
    assert_eq!(bench.told().await, ["Held", "Confirmed", "Held"]);
}

pub async fn rule_k_of_two_contrary_verdicts_the_first_stands<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (here, there) = (bench.replica().await, bench.replica().await);
    for round in 0..20 {
        let case = bench.sold(Some("approve")).await;
        let (name, before) = (&case.record().name, bench.told().await.len());
        answered(bench.cancel(name).await);
        let stopped = judge_at::<S>(&here, &bench.database, name, Verdict::Stopped);
        let begun = judge_at::<S>(&there, &bench.database, name, Verdict::Begun);
        // Polled in turn to begin with the one or the other.
        if round % 2 == 0 {
            tokio::join!(biased; stopped, begun);
        } else {
            tokio::join!(biased; begun, stopped);
        }
        let told = bench.told().await.split_off(before + 1);
        match bench.state(name).await {
            State::CancelRequested => assert_eq!((told, bench.free().await), (vec!["CancelRequested"], 1)),
            state => {
                assert_eq!((state, told, bench.free().await), (State::Confirmed, vec!["CancelRefused"], 0));
                // The unit is wanted for the next round.
                let host = case.record().payee.clone();
                answered(bench.cancel_as(name, Asks::User(&host), None).await);
            }
        }
    }
}

pub async fn rule_k_a_step_before_the_verdict_leaves_the_wish_standing<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let name = &case.record().name;
    answered(bench.cancel(name).await);
    answered(step_at::<S>(&bench.checkout, name, None).await);
    assert!(bench.read(name).await.record().cancel_time.is_some());
    bench.hears_verdict(name, Verdict::Stopped).await;
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelAsked", "Step", "CancelRequested"]);
}

pub async fn rule_k_what_is_asked_while_paying_is_confirmed_and_cancelled_in_one<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("open", "PAYMENT_PENDING").await;
    answered(bench.cancel(&name).await);
    bench.hears(&name, 1, Outcome::Approved).await;
    assert_eq!((bench.state(&name).await, bench.free().await), (State::CancelRequested, 1));
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelRequested"], "nobody has to be asked");
}
