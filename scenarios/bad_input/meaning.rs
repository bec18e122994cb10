//! Requests whose fields are good one by one, and that cannot be done all the same.

use std::collections::BTreeSet;

use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};
use tonic::Status;

use super::{books, faults, put};
use crate::support::{
    nights::night,
    reason, refusal,
    rpcs::{RPCS, rpc},
    scene::Scene,
    wire::{self, part},
};

/// Asks with a good request in which these fields are other ones, as whom it is good for.
async fn asks(scene: &Scene, name: &str, fields: &[(&str, Value)]) -> Result<Value, Status> {
    let rpc = rpc(name);
    let mut request = scene.request(rpc);
    for (field, value) in fields {
        put(&mut request, field, value.clone());
    }
    scene.by(rpc).asks(rpc.name, &request).await
}

async fn refused(scene: &Scene, name: &str, fields: &[(&str, Value)]) -> Status {
    asks(scene, name, fields).await.expect_err(&format!("{name} with {fields:?}"))
}

fn set(paths: &[&str]) -> Option<BTreeSet<String>> {
    Some(paths.iter().map(|path| (*path).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stay_that_is_over_or_years_ahead_or_for_too_many_is_refused_with_all_of_that_and_not_offered() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    // In the room's time zone, which says what today is.
    let today = Zoned::now().with_time_zone(mesh::clock::zone("Asia/Seoul").expect("a time zone")).date();
    // Last night can be booked until guests have to leave: the night before it is over for certain.
    let over = today.saturating_sub(2.days());
    let tomorrow = today.tomorrow().expect("a date");
    let far = today.saturating_add(6.years());
    let (check_in, check_out) = ("reservation.check_in_date", "reservation.check_out_date");
    for name in ["QuoteReservation", "CreateReservation"] {
        let past = [(check_in, json!(over)), (check_out, json!(tomorrow))];
        assert_eq!(faults(&refused(&scene, name, &past).await), set(&[check_in]), "{name}");
        let ahead = [(check_in, json!(far)), (check_out, json!(far.tomorrow().expect("a date")))];
        assert_eq!(faults(&refused(&scene, name, &ahead).await), set(&[check_in]), "{name}");
        let crowded = [past.as_slice(), &[("reservation.guests", json!(3))]].concat();
        let expected = set(&[check_in, "reservation.guests"]);
        assert_eq!(faults(&refused(&scene, name, &crowded).await), expected, "{name}");
    }
    let past = [("start_date", json!(over)), ("end_date", json!(tomorrow))];
    assert_eq!(faults(&refused(&scene, "BlockNights", &past).await), set(&["start_date"]));
    assert_eq!(books::count(&scene).await, before);
    let from_today = [(check_in, json!(today)), (check_out, json!(tomorrow))];
    asks(&scene, "QuoteReservation", &from_today).await.expect("today is no past");

    // What is refused is not offered, and what can be booked is.
    let offers = async |check_in: &jiff::civil::Date, check_out: &jiff::civil::Date| {
        let nights = json!({"check_in_date": check_in, "check_out_date": check_out});
        let found = scene.by(rpc("SearchRooms")).asks(rpc("SearchRooms").name, &nights).await.expect("a page");
        found.get("offers").and_then(Value::as_array).map_or(0, Vec::len)
    };
    assert_eq!(offers(&over, &tomorrow).await, 0);
    assert_eq!(offers(&far, &far.tomorrow().expect("a date")).await, 0);
    assert_eq!(offers(&jiff::civil::date(2019, 5, 1), &jiff::civil::date(2019, 5, 2)).await, 0);
    assert_eq!(offers(&today, &tomorrow).await, 1);
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_price_than_the_guest_was_shown_takes_nothing() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    let shown = |currency: &str, units: i64| [("expected_total", json!({"currency_code": currency, "units": units}))];
    for units in [0, 179_999, 180_001] {
        let refusal = refusal(&refused(&scene, "CreateReservation", &shown("KRW", units)).await);
        assert_eq!(refusal.reason.as_str(), "PRICE_CHANGED");
        assert_eq!(refusal.metadata["total"], "180000 KRW", "the new total");
    }
    let status = refused(&scene, "CreateReservation", &shown("USD", 180)).await;
    assert_eq!(reason(&status), "CURRENCY_MISMATCH");
    assert_eq!(books::count(&scene).await, before);
    asks(&scene, "CreateReservation", &shown("KRW", 180_000)).await.expect("the price that was shown");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_token_that_nobody_knows_is_the_callers_fault_and_frees_the_room() {
    let scene = Scene::set().await;
    for name in ["CreateReservation", "PayReservation"] {
        let status = refused(&scene, name, &[("payment_method.token", json!("tok_unheard_of"))]).await;
        assert_eq!(faults(&status), set(&["payment_method.token"]), "{name}: {status:?}");
        assert!(!format!("{status:?}").contains("tok_unheard_of"), "{name} repeats it: {status:?}");
        assert!(status.message().contains("tok_approve"), "{name} does not say which there are: {status:?}");
    }
    let quote = asks(&scene, "QuoteReservation", &[]).await.expect("a quote");
    assert_eq!(part::<i32>(&quote, "/unitsLeft"), 8, "the stay and the hold are left");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_room_that_has_changed_or_of_what_never_changes_is_refused() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    let usd = json!({"currency_code": "USD", "units": 80});
    for (name, fields, why) in [
        ("UpdateRoom", vec![("room.etag", json!("v999"))], "ETAG_MISMATCH"),
        ("UpdateRoom", vec![("room.etag", json!("x".repeat(10_000)))], "ETAG_MISMATCH"),
        ("DeleteRoom", vec![("etag", json!("v999"))], "ETAG_MISMATCH"),
        ("UpdateRoom", vec![("room.nightly_rate", usd), ("update_mask", json!("nightlyRate"))], "CURRENCY_MISMATCH"),
    ] {
        let refusal = refusal(&refused(&scene, name, &fields).await);
        assert_eq!(refusal.reason.as_str(), why, "{name} with {fields:?}: {refusal:?}");
        assert!(why != "ETAG_MISMATCH" || refusal.metadata["etag"] == scene.room.etag, "{refusal:?}");
    }
    let zone = [("room.time_zone", json!("Europe/Berlin")), ("update_mask", json!("timeZone"))];
    assert_eq!(faults(&refused(&scene, "UpdateRoom", &zone).await), set(&["room.time_zone"]));
    assert_eq!(books::count(&scene).await, before);

    asks(&scene, "CreateRoom", &[("room.number", json!("204"))]).await.expect("the first 204");
    let status = refused(&scene, "CreateRoom", &[("room.number", json!("204"))]).await;
    assert_eq!(reason(&status), "ROOM_NUMBER_TAKEN");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_whose_wishes_do_not_go_together_is_refused() {
    let scene = Scene::set().await;
    let rate = |currency: &str| json!({"currency_code": currency, "units": 10});
    for (fields, at_fault) in [
        (vec![("near", Value::Null), ("radius_meters", json!(100))], "near"),
        (vec![("near", Value::Null), ("order", json!("DISTANCE"))], "near"),
        (vec![("check_out_date", Value::Null)], "check_out_date"),
        (vec![("check_in_date", Value::Null)], "check_in_date"),
        (vec![("check_out_date", json!(night(-1)))], "check_out_date"),
    ] {
        let status = refused(&scene, "SearchRooms", &fields).await;
        assert_eq!(faults(&status), set(&[at_fault]), "{fields:?}");
    }
    let status = refused(&scene, "SearchRooms", &[("min_rate", rate("KRW")), ("max_rate", rate("USD"))]).await;
    assert_eq!(reason(&status), "CURRENCY_MISMATCH");
    scene.inn.close().await;
}

/// What a request says by leaving it out, in fields of which it may be left out: every RPC that takes a request id is here.
const DEFAULTS: &[(&str, &[(&str, &str)])] = &[
    ("CreateRoom", &[("room.capacity", "2"), ("room.check_in_time", "\"15:00\""), ("room.number", "\"\"")]),
    ("UpdateRoom", &[("room.host", "\"users/me\""), ("update_mask", "\"description\"")]),
    ("BlockNights", &[("unblock", "false")]),
    ("CreateReservation", &[("reservation.units", "1"), ("reservation.guests", "1"), ("reservation.state", "1")]),
    ("PayReservation", &[]),
    ("CancelReservation", &[("reason", "\"\"")]),
    ("DeleteRoom", &[("on_reserved", "1"), ("etag", "\"\"")]),
];

#[tokio::test(flavor = "multi_thread")]
async fn z3_a_request_that_writes_its_defaults_out_is_the_same_request() {
    let with_an_id: BTreeSet<_> = RPCS
        .iter()
        .filter(|rpc| wire::method(rpc.name).input().get_field_by_name("request_id").is_some())
        .map(|rpc| rpc.bare())
        .collect();
    assert_eq!(DEFAULTS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), with_an_id);
    let scene = Scene::set().await;
    for (name, defaults) in DEFAULTS {
        let id = ("request_id", json!("once-and-only"));
        let left_out: Vec<_> = defaults.iter().map(|(field, _)| (*field, Value::Null)).collect();
        let first = asks(&scene, name, &[left_out, vec![id.clone()]].concat()).await.expect(name);
        let written: Vec<_> =
            defaults.iter().map(|(field, value)| (*field, serde_json::from_str(value).expect("JSON"))).collect();
        let again = asks(&scene, name, &[written, vec![id]].concat()).await;
        assert_eq!(again.expect(name), first, "{name}");
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z3_a_request_id_stands_for_one_request() {
    let scene = Scene::set().await;
    for (name, field, value) in [
        ("CreateRoom", "room.display_name", json!("Another")),
        ("UpdateRoom", "room.description", json!("Another")),
        ("BlockNights", "units", json!(2)),
        ("CreateReservation", "reservation.guests", json!(2)),
        ("PayReservation", "payment_method.token", json!("tok_slow_1")),
        ("CancelReservation", "reason", json!("another")),
        ("DeleteRoom", "on_reserved", json!("CANCEL")),
    ] {
        let id = ("request_id", json!("once-and-only"));
        let first = asks(&scene, name, std::slice::from_ref(&id)).await.expect(name);
        let status = refused(&scene, name, &[id.clone(), (field, value)]).await;
        assert_eq!(reason(&status), "REQUEST_ID_REUSED", "{name}: {status:?}");
        let again = asks(&scene, name, std::slice::from_ref(&id)).await.expect(name);
        assert_eq!(again, first, "{name} replays its answer");
    }
    scene.inn.close().await;
}
