//! Each field beyond its bounds, alone and with all the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tonic::Code;

use super::{
    books,
    bounds::{Bound, bounds},
    faults, put,
};
use crate::support::{
    nights::night,
    refusal,
    rpcs::{RPCS, rpc},
    scene::Scene,
    wire,
};

/// A good request in which every field counts.
fn base(scene: &Scene, name: &str) -> Value {
    let mut request = scene.request(rpc(name));
    if name == "UpdateRoom" {
        put(&mut request, "room.display_name", json!("Garden room"));
        put(&mut request, "room.nightly_rate", json!({"currency_code": "KRW", "units": 90_000}));
        put(&mut request, "update_mask", json!("*"));
    }
    request
}

/// The request with that value in it; a text like `$91` is the date so many days after the first night.
fn with(mut request: Value, field: &str, value: &Value) -> Value {
    let day = value.as_str().and_then(|text| text.strip_prefix('$'));
    let value = match day {
        Some("in") => json!(night(0)),
        Some(days) => json!(night(days.parse().expect("a number of days"))),
        None => value.clone(),
    };
    put(&mut request, field, value);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_out_of_its_bounds_is_refused_by_its_path_and_nothing_is_done() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    let mut wrong = Vec::new();
    for Bound { rpcs, field, bad, .. } in bounds() {
        for name in rpcs {
            let (rpc, request) = (rpc(name), base(&scene, name));
            let caller = scene.by(rpc);
            for value in &bad {
                let answer = caller.asks(rpc.name, &with(request.clone(), field, value)).await;
                if !matches!(&answer, Err(status) if faults(status) == Some(BTreeSet::from([field.to_owned()]))) {
                    wrong.push(format!("{name} with {field} = {:.100}: {answer:.400?}", value.to_string()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(books::count(&scene).await, before);
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_just_within_its_bounds_is_taken() {
    let scene = Scene::set().await;
    let mut wrong = Vec::new();
    for Bound { rpcs, field, good, .. } in bounds() {
        for name in rpcs {
            let (rpc, request) = (rpc(name), base(&scene, name));
            let caller = scene.by(rpc);
            for value in &good {
                let answer = caller.asks(rpc.name, &with(request.clone(), field, value)).await;
                if matches!(&answer, Err(status) if status.code() == Code::InvalidArgument) {
                    wrong.push(format!("{name} with {field} = {:.100}: {answer:.400?}", value.to_string()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_a_request_are_told_at_once() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    let mut by_rpc: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for Bound { rpcs, field, bad, .. } in bounds() {
        // The second of two tiers is at fault only when the first one is not.
        let alone = field == "room.cancellation_policy.tiers[1]";
        for name in rpcs.iter().filter(|_| !alone) {
            by_rpc.entry(name).or_default().entry(field).or_insert(bad[0].clone());
        }
    }
    for (name, mut fields) in by_rpc {
        // A field that is missing as a whole hides what is wrong within it.
        let all: Vec<&str> = fields.keys().copied().collect();
        fields.retain(|field, _| !all.iter().any(|other| is_within(other, field)));
        let (rpc, mut request) = (rpc(name), base(&scene, name));
        for (field, value) in &fields {
            // Beside the good ones, or what they name would not be looked at.
            let value = if *field == "update_mask" { &json!("*,noSuchField") } else { value };
            request = with(request, field, value);
        }
        let at = format!("{name} with {request:.300}");
        let status = scene.by(rpc).asks(rpc.name, &request).await.expect_err(&at);
        let expected: BTreeSet<String> = fields.keys().map(|field| (*field).to_owned()).collect();
        assert_eq!(faults(&status), Some(expected), "{at}: {status:?}");
        let count = refusal(&status).violations.len();
        assert!(count == 1 || status.message().contains(&format!("{count} fields")), "{status:?}");
    }
    assert_eq!(books::count(&scene).await, before);
    scene.inn.close().await;
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
}

#[test]
fn each_request_that_has_fields_with_bounds_has_some_here() {
    let bounded: BTreeSet<&str> = bounds().iter().flat_map(|bound| bound.rpcs).copied().collect();
    // It takes a page's size, where everything counts, and a token, which has tests of its own.
    let without: Vec<&str> = RPCS.iter().map(|rpc| rpc.bare()).filter(|name| !bounded.contains(name)).collect();
    assert_eq!(without, ["ListCharges"]);
    for Bound { rpcs, field, .. } in bounds() {
        for name in rpcs {
            let root = field.split(['.', '[']).next().expect("a field");
            let known = wire::method(rpc(name).name).input().get_field_by_name(root).is_some();
            assert!(known, "{name} has no field {root}");
        }
    }
}
