//! Steps of a context's own on a CONFIRMED case: what is sold is prepared, handed over, brought back.

use futures::future::join_all;
use mesh_checkout::checkout::{Case, Cases, Checkout, Progress, Record, Scope, State};
use mesh_foundation::{
    call::Actor,
    error::{Error, Reason, Refusal},
};
use mesh_store::requests::{Answer, Request};

use crate::lifecycle::{Bench, CaseOf, Seller, actor, answered, caller, reason};

/// Takes the step at a replica.
pub(super) async fn step_at<S: Seller>(
    checkout: &Checkout<S::Cases>,
    name: &str,
    request: Option<Request>,
) -> Result<Answer, Error> {
    checkout.progress(name, Scope::All, request, &actor(), S::step).await
}

pub(super) fn has_taken_step<S: Seller>(case: &CaseOf<S>) -> bool {
    S::step(&mut case.clone()).unwrap().is_none()
}

impl<S: Seller> Bench<S> {
    async fn steps(&self, name: &str, request: Option<Request>) -> Result<Answer, Error> {
        step_at::<S>(&self.checkout, name, request).await
    }

    /// A policy takes the step.
    async fn hears_of_step(&self, name: &str) -> Progress<CaseOf<S>> {
        let (checkout, actor) = (&self.checkout, &Actor::context("delivery", "another"));
        let heard = self
            .database
            .transact("hear", |tx| async move { checkout.progress_in(&tx, name, &Scope::All, actor, S::step).await });
        heard.await.unwrap()
    }
}

async fn paid<S: Seller>() -> (Bench<S>, CaseOf<S>) {
    let bench = Bench::<S>::with_units(1).await;
    let case = bench.sold(Some("approve")).await;
    (bench, case)
}

pub async fn a_step_is_written_and_told_once_and_leaves_the_lifecycle_as_it_was<S: Seller>() {
    let (bench, mut expected) = paid::<S>().await;
    let name = expected.record().name.clone();
    bench.wait(60);
    let answer = answered(bench.steps(&name, None).await);
    let after = bench.read(&name).await;
    assert!(S::step(&mut expected).unwrap().is_some());
    let record = expected.record_mut();
    *record = Record { version: record.version + 1, update_time: bench.clock.now(), ..record.clone() };
    assert_eq!((&after, answer), (&expected, bench.shown(&expected)));
    answered(bench.steps(&name, None).await);
    assert_eq!(bench.read(&name).await, expected);
    assert_eq!(bench.told().await, ["Held", "Confirmed", "Step"]);

    // And the cancellation goes on from there.
    bench.cancel(&name).await.unwrap();
    let cancelled = bench.read(&name).await;
    assert_eq!(cancelled.record().state(), State::CancelRequested);
    assert!(has_taken_step::<S>(&cancelled));
}

pub async fn rule_t_a_step_that_is_heard_twenty_times_at_once_is_one<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let name = &case.record().name;
    let heard = join_all((0..20).map(|_| bench.hears_of_step(name))).await;
    let taken = heard.iter().filter(|progress| matches!(progress, Progress::Taken(_))).count();
    let nothing = heard.iter().filter(|progress| matches!(progress, Progress::Nothing(_))).count();
    assert_eq!((taken, nothing), (1, 19));
    assert_eq!(bench.read(name).await.record().version, case.record().version + 1);
    assert_eq!(bench.told().await, ["Held", "Confirmed", "Step"]);
}

pub async fn a_step_belongs_to_its_business_case_whoever_takes_it<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    bench.hears_of_step(&case.record().name).await;
    let last = bench.events().await.pop().unwrap();
    assert_eq!(i64::try_from(last.sequence).unwrap(), case.record().version + 1);
    assert_eq!((last.subject, last.correlation_id.as_str()), (case.record().name.clone(), "case"));
    assert_eq!(last.actor, "contexts/delivery");
}

pub async fn rule_r_a_request_for_a_step_is_answered_the_same_however_often_it_is_sent<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let (name, alice) = (&case.record().name, caller("alice"));
    let request = |body: &str| Request::new(&alice, "Step", "once", &body.to_owned());
    let first = answered(bench.steps(name, request("a")).await);
    bench.cancel(name).await.unwrap();
    assert_eq!(answered(bench.steps(name, request("a")).await), first);
    assert_eq!(reason(bench.steps(name, request("b")).await), "REQUEST_ID_REUSED");
}

pub async fn nothing_goes_on_that_is_not_confirmed<S: Seller>() {
    let bench = Bench::<S>::with_units(4).await;
    let pending = bench.sold(None).await.record().name.clone();
    let cancelled = bench.sold(None).await.record().name.clone();
    let requested = bench.sold(Some("approve")).await.record().name.clone();
    bench.cancel(&cancelled).await.unwrap();
    bench.cancel(&requested).await.unwrap();
    let rejected = bench.refused("decline", "PAYMENT_DECLINED").await;
    let told = bench.told().await;
    for (name, state) in [
        (pending, State::Pending),
        (cancelled, State::Cancelled),
        (requested, State::CancelRequested),
        (rejected, State::Rejected),
    ] {
        let before = bench.read(&name).await;
        assert_eq!(before.record().state(), state);
        let Err(Error::Refused(refusal)) = bench.steps(&name, None).await else { panic!("{state:?} goes on") };
        assert_eq!(refusal.reason, Reason::ILLEGAL_TRANSITION);
        assert_eq!((refusal.metadata["from"].as_str(), &refusal.metadata["case"]), (state.name(), &name));
        assert_eq!(bench.hears_of_step(&name).await, Progress::NotConfirmed(before.clone()));
        assert_eq!(bench.read(&name).await, before);
    }
    assert_eq!(bench.told().await, told);
}

pub async fn a_step_that_is_refused_leaves_nothing_behind_and_its_request_may_try_again<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let (name, alice) = (&case.record().name, caller("alice"));
    let request = Request::new(&alice, "Step", "once", &String::new());
    let refuse = |case: &mut CaseOf<S>| {
        S::step(case)?;
        Err(Refusal::new(Reason::ILLEGAL_TRANSITION, "the door is locked").into())
    };
    let refused = bench.checkout.progress(name, Scope::All, request.clone(), &actor(), refuse).await;
    assert_eq!(reason(refused), "ILLEGAL_TRANSITION");
    assert_eq!(bench.read(name).await, case);
    answered(bench.steps(name, request).await);
}

pub async fn a_step_cannot_reach_into_the_lifecycle<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let reach = |case: &mut CaseOf<S>| {
        let record = case.record_mut();
        record.standing.state = State::Cancelled;
        record.orphans = 7;
        record.version = 70;
        S::step(case)
    };
    bench.checkout.progress(&case.record().name, Scope::All, None, &actor(), reach).await.unwrap();
    let after = bench.read(&case.record().name).await;
    let (record, expected) = (after.record(), case.record());
    assert_eq!((record.state(), record.orphans, record.version), (State::Confirmed, 0, expected.version + 1));
}

pub async fn a_stranger_finds_no_case_to_go_on_with<S: Seller>() {
    let (bench, case) = paid::<S>().await;
    let scope = Scope::Payer("users/mallory".to_owned());
    let refused = bench.checkout.progress(&case.record().name, scope, None, &actor(), S::step).await;
    assert_eq!(reason(refused), S::Cases::NOT_FOUND.as_str());
    assert_eq!(bench.told().await, ["Held", "Confirmed"]);
}
