//! The table of who may call what, walked over the wire: every RPC, as everybody.

use std::collections::BTreeSet;

use jumak::house::Member;
use mesh::Role;
use tonic::Code;

use crate::support::{
    refusal,
    rpcs::{RPCS, Rpc, TO_COME},
    scene::Scene,
    setup::Shape,
    wire,
};

/// Everybody there is.
fn everybody() -> impl Iterator<Item = String> {
    let people = Role::ALL.into_iter().map(|role| role.name().to_owned());
    let others = ["roleless", "nobody"].map(str::to_owned);
    people.chain(others).chain(Member::ALL.map(|member| format!("contexts/{member}")))
}

#[test]
fn z8_every_rpc_says_who_may_call_it() {
    let served: BTreeSet<String> = wire::methods().into_iter().map(|(name, _)| name).collect();
    let all = || RPCS.iter().chain(TO_COME);
    let walked: BTreeSet<String> = all().map(|rpc| rpc.name.to_owned()).collect();
    assert_eq!(walked, served, "an RPC has no line in the table of who may call it, or a line has no RPC");
    assert_eq!(walked.len(), all().count(), "an RPC has two lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn z8_each_rpc_answers_whom_it_is_for() {
    let scene = Scene::set().await;
    for rpc in RPCS {
        let answer = scene.by(rpc).asks(rpc.name, &scene.request(rpc)).await;
        answer.unwrap_or_else(|status| panic!("{} refuses {}: {status:?}", rpc.name, rpc.by));
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z8_each_rpc_is_for_those_it_names_and_nobody_else() {
    let scene = Scene::set().await;
    for rpc in RPCS.iter().chain(TO_COME) {
        for who in everybody() {
            let who = who.as_str();
            let answer = scene.stranger(who, rpc).asks(rpc.name, &scene.request(rpc)).await;
            let status = match answer {
                Ok(_) => tonic::Status::ok(""),
                Err(status) => status,
            };
            let at = format!("{} by {who}: {status:?}", rpc.name);
            if who == "nobody" {
                let refusal = refusal(&status);
                assert_eq!(refusal.reason.as_str(), "TOKEN_MISSING", "{at}");
                assert_eq!(status.code(), Code::Unauthenticated, "{at}");
                // In the embedded shape there is a command for it; elsewhere it is the issuer's to give.
                let how = if Shape::chosen() == Shape::Embedded { "jumak token" } else { "get one from the issuer" };
                assert!(refusal.message.contains(how), "it does not say how to get one: {at}");
            } else if who.strip_prefix("contexts/").is_some_and(|context| !rpc.knows(context)) {
                assert_eq!(refusal(&status).reason.as_str(), "TOKEN_INVALID", "{at}");
            } else if rpc.admits(who) {
                assert!(!matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated), "{at}");
            } else {
                is_denied(rpc, who, &status, &at);
            }
        }
    }
    scene.inn.close().await;
}

/// Refused, and told which roles would do and which the token has.
fn is_denied(rpc: &Rpc, who: &str, status: &tonic::Status, at: &str) {
    assert_eq!(status.code(), Code::PermissionDenied, "{at}");
    let refusal = refusal(status);
    assert_eq!(refusal.reason.as_str(), "ROLE_REQUIRED", "{at}");
    if rpc.roles == "*" {
        return;
    }
    let named: BTreeSet<&str> = refusal.metadata["role"].split(',').collect();
    assert_eq!(named, rpc.roles.split(',').collect(), "the roles that would do: {at}");
    let own = match who.strip_prefix("contexts/") {
        Some(context) => format!("the context {context}"),
        None if who == "roleless" => "the token has none".to_owned(),
        None => format!("the token has {who}"),
    };
    assert!(refusal.message.contains(&own), "it does not say whose token it was: {at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_context_serves_is_unimplemented_with_and_without_a_token() {
    let scene = Scene::set().await;
    for path in ["jumak.room.v1.RoomService/DropTables", "jumak.room.v1.Rooms/GetRoom", "no.Such/Thing", "//"] {
        for who in [scene.inn.nobody(), scene.guest.clone()] {
            let status = who.sends(path, Vec::new()).await.expect_err("no such method");
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {status:?}");
        }
    }
    scene.inn.close().await;
}
