//! A case comes about, or leaves nothing behind.

use mesh_checkout::checkout::{Case, Cases, Record, Scope, Settings, State, machine::Outcome};

use crate::lifecycle::{Bench, Seller, answered, caller, create, reason};

pub async fn a_hold_reads_back_as_it_was_made_and_its_unit_is_taken<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let (made, payer) = (bench.case(&caller("alice")).await, caller("alice"));
    let answer = create(&bench.checkout, made.clone(), None, None, &payer).await;
    let held = bench.only().await;
    assert_eq!(answered(answer), bench.shown(&held));
    let mut expected = made;
    let end = bench.clock.now() + Settings::default().hold;
    let record = expected.record_mut();
    *record = Record { hold_expire_time: end, next_attempt_time: Some(end), ..record.clone() };
    // From what a case was made is no part of it, and is not kept.
    assert_eq!((held.record(), bench.shown(&held)), (expected.record(), bench.shown(&expected)));
    assert_eq!((bench.free().await, bench.till.asked()), (0, 0));
    assert_eq!(bench.told().await, ["Held"]);
}

pub async fn a_paid_case_is_confirmed_and_keeps_its_unit<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let paid = bench.sold(Some("approve")).await;
    assert_eq!(paid.record().state(), State::Confirmed);
    assert_eq!(paid.record().payment_label.as_deref(), Some("visa 4242"));
    assert_eq!((bench.free().await, bench.till.charges()), (0, 1));
    assert_eq!(bench.told().await, ["Held", "Confirmed"]);
}

pub async fn a_declined_case_gives_its_unit_back_at_once<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.refused("decline", "PAYMENT_DECLINED").await;
    assert_eq!(bench.state(&name).await, State::Rejected);
    assert_eq!(bench.free().await, 1);
    assert_eq!(bench.told().await, ["Held", "Rejected"]);
}

pub async fn a_case_that_finds_no_unit_is_refused_and_nothing_of_it_stays<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    bench.sold(None).await;
    bench.refused("approve", S::SOLD_OUT.as_str()).await;
    assert_eq!((bench.count().await, bench.till.asked()), (1, 0));
    assert_eq!(bench.told().await, ["Held"]);
}

pub async fn what_is_told_names_the_case_its_version_and_its_business_case<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let name = bench.sold(Some("approve")).await.record().name.clone();
    bench.cancel(&name).await.unwrap();
    let rejected = bench.refused("not_sent", "PAYMENT_UNAVAILABLE").await;
    bench.hears(&rejected, 1, Outcome::Approved).await;
    assert_eq!(bench.told().await, ["Held", "Confirmed", "CancelRequested", "Held", "Rejected", "RefundRequested"]);
    let mut versions = [0, 0];
    for event in bench.events().await {
        let version = &mut versions[usize::from(event.subject != name)];
        *version += 1;
        assert!([&name, &rejected].contains(&&event.subject), "{event:?}");
        assert_eq!((event.sequence, event.correlation_id.as_str()), (*version, "case"), "{event:?}");
        assert_eq!(event.source, S::Cases::CONTEXT);
        let by_payment = event.kind.ends_with("RefundRequested");
        assert!(event.actor == "users/alice" || by_payment && event.actor.starts_with("contexts/"), "{event:?}");
    }
    for (case, version) in [(name, versions[0]), (rejected, versions[1])] {
        assert_eq!(u64::try_from(bench.read(&case).await.record().version).unwrap(), version, "the newest was told");
    }
}

pub async fn a_case_is_found_by_those_who_may_see_it_alone<S: Seller>() {
    let bench = Bench::<S>::with_units(1).await;
    let held = bench.sold(None).await;
    let (name, payee) = (&held.record().name, held.record().payee.clone());
    let (alice, mallory) = ("users/alice".to_owned(), "users/mallory".to_owned());
    for (scope, found) in [
        (Scope::Payer(alice.clone()), true),
        (Scope::Party(alice), true),
        (Scope::Party(payee), true),
        (Scope::Payer(mallory.clone()), false),
        (Scope::Party(mallory.clone()), false),
    ] {
        assert_eq!(bench.checkout.get(name, &scope).await.is_ok(), found, "{scope:?}");
    }
    let pays = bench.checkout.pay(name, Scope::Payer(mallory), "approve".to_owned(), None, &caller("mallory")).await;
    assert_eq!(reason(pays), S::Cases::NOT_FOUND.as_str());
    assert_eq!((bench.till.asked(), bench.told().await), (0, vec!["Held"]));
}

pub async fn a_payer_has_a_bounded_number_of_open_holds<S: Seller>() {
    let bench = Bench::<S>::with_units(5).await;
    let checkout = bench.replica_with(Settings { max_open_holds: 3, ..Settings::default() }).await;
    let begin = async |name: &str| {
        let caller = caller(name);
        create(&checkout, bench.case(&caller).await, None, None, &caller).await
    };
    for _ in 0..3 {
        answered(begin("alice").await);
    }
    assert_eq!(reason(begin("alice").await), "TOO_MANY_HOLDS");
    assert_eq!((bench.count().await, bench.free().await), (3, 2));
    answered(begin("bob").await);
}
