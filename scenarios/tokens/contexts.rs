//! Tokens of contexts: one callee, a minute, and no right beside what stands in the callee's table.

use jumak::house::Member;
use mesh::{
    Error,
    auth::{keys::SigningKey, token::ServiceTokens},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tonic::Code;

use super::{
    asks_for_the_payment,
    forge::{Key, a_context, a_person, but, now},
};
use crate::support::{
    reason,
    rpcs::{RPCS, rpc},
    scene::Scene,
    setup::Shape,
    wire::part,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_contexts_token_one_step_beside_a_good_one_opens_nothing() {
    let scene = Scene::set().await;
    let key = |owner: &str| Key::of(&scene.inn, owner);
    let (own, issuer) = (key("reservation"), key("issuer"));
    let good = a_context("reservation", "payment");
    asks_for_the_payment(&scene, &own.signs(&good)).await.expect("the good one");

    let with = |name: &str, value: Value| own.signs(&but(good.clone(), name, value));
    for (what, token) in [
        ("it is for another context", own.signs(&a_context("reservation", "room"))),
        ("it is for people's audience", with("aud", json!("jumak"))),
        ("it is for two contexts", with("aud", json!(["contexts/payment", "contexts/room"]))),
        ("it is for one, in a list", with("aud", json!(["contexts/payment"]))),
        ("its subject is another context", with("sub", json!("room"))),
        ("its subject is a context's name", with("sub", json!("contexts/reservation"))),
        ("it has no subject", with("sub", Value::Null)),
        ("it is from another context", with("iss", json!("contexts/order"))),
        ("it is from another context that is trusted", own.signs(&a_context("room", "payment"))),
        ("it lives for an hour", with("exp", json!(now() + 3_600))),
        ("its time has not come", with("nbf", json!(now() + 3_600))),
        ("it never expires", with("exp", Value::Null)),
        ("it is signed by the issuer", issuer.signs(&good)),
        ("it is signed by the issuer in its name", issuer.clone().posing_as(&own).signs(&good)),
        ("it is signed by the callee", key("payment").posing_as(&own).signs(&good)),
        ("it is signed by another context", key("mypage").signs(&good)),
        ("it is signed by nobody", Key::unknown().posing_as(&own).signs(&good)),
        ("it is a person's", own.signs(&a_person(&["admin"]))),
    ] {
        let status = asks_for_the_payment(&scene, &token).await.expect_err(what);
        assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, "TOKEN_INVALID"), "{what}: {status:?}");
    }
    let expired = with("exp", json!(now() - 60));
    let status = asks_for_the_payment(&scene, &expired).await.expect_err("its time is over");
    assert_eq!(reason(&status), "TOKEN_EXPIRED");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contexts_token_for_one_context_is_none_at_another() {
    let scene = Scene::set().await;
    let contexts = Member::ALL.map(Member::name);
    // One of each context's.
    let rpcs = contexts.map(|context| RPCS.iter().find(|rpc| rpc.context() == context).expect("an RPC"));
    for caller in contexts {
        for callee in contexts {
            let with_token = scene.inn.context(caller, callee);
            for rpc in rpcs.iter().filter(|rpc| rpc.context() != callee) {
                let status = with_token.asks(rpc.name, &scene.request(rpc)).await.expect_err("another audience");
                assert_eq!(reason(&status), "TOKEN_INVALID", "{} with {caller}'s token for {callee}", rpc.name);
            }
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_context_says_of_a_person_gives_it_no_right() {
    let scene = Scene::set().await;
    let file = scene.inn.folder().key_file("reservation");
    let tokens = ServiceTokens::new("reservation", SigningKey::load(&file).expect("a key"));
    let own = Key::of(&scene.inn, "reservation");
    for (name, person) in [
        ("CreateRoom", &scene.host.name),
        ("UpdateRoom", &scene.host.name),
        ("GetRoomCalendar", &scene.host.name),
        ("CreateReservation", &scene.guest.name),
        ("PayReservation", &scene.guest.name),
        ("CancelReservation", &scene.guest.name),
        ("ListReservations", &scene.guest.name),
        ("ListLedgerEntries", &scene.inn.user("root")),
        ("GetMyPage", &scene.guest.name),
        ("CompleteChargeAction", &scene.guest.name),
    ] {
        let rpc = rpc(name);
        let roles = ["guest", "host", "agent", "admin"];
        let claims = but(a_context("reservation", rpc.context()), "roles", json!(roles));
        for token in [
            tokens.on_behalf_of(rpc.context(), person).expect("a token"),
            own.signs(&but(claims, "on_behalf_of", person.as_str())),
        ] {
            let status = scene.inn.bearer_of(&token).asks(rpc.name, &scene.request(rpc)).await.expect_err(name);
            // In the mesh a context does not even know the keys of those that never call it.
            let expected = if rpc.knows("reservation") { "ROLE_REQUIRED" } else { "TOKEN_INVALID" };
            assert_eq!(reason(&status), expected, "{name} on behalf of {person}: {status:?}");
        }
    }
    // Nor does it find what its person would.
    if Shape::chosen() == Shape::Mesh {
        // There nobody trusts a context that calls itself.
        return scene.inn.close().await;
    }
    let rpc = rpc("GetReservation");
    let token = tokens.on_behalf_of("reservation", &scene.guest.name).expect("a token");
    let status = scene.inn.bearer_of(&token).asks(rpc.name, &scene.request(rpc)).await.expect_err("alice's");
    assert_eq!(reason(&status), "RESERVATION_NOT_FOUND");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_pays_for_cases_of_its_own_and_no_other() {
    let scene = Scene::set().await;
    let reservation = scene.inn.context("reservation", "payment");
    let id = "01990000-0000-7000-8000-00000000000b";
    for case in [format!("orders/{id}"), format!("rentals/{id}"), format!("rooms/{id}"), "reservations".to_owned()] {
        for (name, field) in [("CreatePayment", "payment.case"), ("VoidPayment", "case")] {
            let rpc = rpc(name);
            let good = format!("reservations/{id}");
            let request = scene.request(rpc).to_string().replace(&good, &case);
            let request = serde_json::from_str(&request).expect("JSON");
            let status = reservation.asks(rpc.name, &request).await.expect_err("another's case");
            let refusal = crate::support::refusal(&status);
            assert_eq!(refusal.reason.as_str(), "INVALID_FIELDS", "{name} {case}");
            assert_eq!(refusal.violations[0].0, field, "{name} {case}");
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_finds_payments_for_its_own_cases_and_no_other() {
    let scene = Scene::set().await;
    let reservation = scene.inn.context("reservation", "payment");
    let payment = &scene.stay.payment;
    let amount = json!({"currency_code": "KRW", "units": 1});
    let refund = json!({"name": payment, "refund_id": "01990000-0000-7000-8000-00000000000e", "amount": amount});
    let asked: [(&str, Value); 4] = [
        ("GetPayment", json!({"name": payment})),
        ("ListRefunds", json!({"parent": payment})),
        ("VoidPayment", json!({"name": payment, "case": "reservations/01990000-0000-7000-8000-00000000000b"})),
        ("RefundPayment", refund),
    ];
    // As if an order had been paid: there is no such context yet whose token could say so.
    let order = format!("UPDATE payment SET case_name = 'orders/{}'", "01990000-0000-7000-8000-00000000000f");
    let database = scene.inn.database("payment").await;
    reservation.asks(rpc("GetPayment").name, &asked[0].1).await.expect("a payment for a reservation");
    database
        .transact("make it an order's", |tx| {
            let order = &order;
            async move { tx.execute_unprepared(order).await.map(drop).map_err(Error::from) }
        })
        .await
        .expect("written");
    for (name, request) in &asked {
        let status = reservation.asks(rpc(name).name, request).await.expect_err("an order's payment");
        assert_eq!(reason(&status), "PAYMENT_NOT_FOUND", "{name}: {status:?}");
    }
    let list = reservation.asks(rpc("ListPayments").name, &json!({})).await.expect("a list");
    assert!(list.pointer("/payments").is_none_or(|list| list == &json!([])), "{list}");
    let admin = scene.inn.person("root", &[mesh::Role::Admin]);
    let found = admin.asks(rpc("GetPayment").name, &asked[0].1).await.expect("it is there");
    assert_eq!(part::<String>(&found, "/state"), "APPROVED", "and nothing was given back");
    scene.inn.close().await;
}
