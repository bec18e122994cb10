//! Whose it is: another's is answered as if it did not exist, word for word.

use mesh::{Refusal, Role};
use serde_json::{Value, json};
use tonic::Status;
use uuid::Uuid;

use crate::support::{Person, nights::night, reason, refusal, rpcs::rpc, scene::Scene, wire::part};

/// Those who ask, in the order of the columns below. The first three may be guests and hosts alike, so that no missing role stands
/// before the question whose it is.
const COLUMNS: [&str; 5] = ["its guest", "its host", "a stranger", "an agent", "an admin"];

/// An RPC; its request, or nothing for the good one of the table of RPCs; what each column gets: `y` an answer, `n` not found, `r`
/// told that a role is missing; and the reason that says not found.
///
/// What ends something comes last.
const WHOSE: &[(&str, &str, &str, &str)] = &[
    ("GetReservation", "", "yynyy", "RESERVATION_NOT_FOUND"),
    ("WatchReservation", "", "yynyy", "RESERVATION_NOT_FOUND"),
    ("GetPayment", "", "yynyy", "PAYMENT_NOT_FOUND"),
    ("ListRefunds", "", "yynyy", "PAYMENT_NOT_FOUND"),
    ("GetRoomCalendar", "", "nynyy", "ROOM_NOT_FOUND"),
    ("GetMyPage", r#"{"name": "$guest/myPage"}"#, "ynnyy", "PAGE_NOT_FOUND"),
    ("WatchMyPage", "", "ynnyy", "PAGE_NOT_FOUND"),
    ("ListBookings", "", "ynnyy", "PAGE_NOT_FOUND"),
    ("GetBooking", "", "ynnyy", "BOOKING_NOT_FOUND"),
    ("GetTimeline", "", "ynnyy", "BOOKING_NOT_FOUND"),
    ("GetBooking", r#"{"name": "users/me/bookings/$id"}"#, "yynnn", "BOOKING_NOT_FOUND"),
    ("GetTimeline", r#"{"name": "users/me/bookings/$id"}"#, "yynnn", "BOOKING_NOT_FOUND"),
    ("UpdateRoom", "", "nynrr", "ROOM_NOT_FOUND"),
    ("BlockNights", "", "nynrr", "ROOM_NOT_FOUND"),
    ("PayReservation", "", "ynnrr", "RESERVATION_NOT_FOUND"),
    ("CancelReservation", "", "yynyy", "RESERVATION_NOT_FOUND"),
    ("DeleteRoom", "", "nynyy", "ROOM_NOT_FOUND"),
];

const GUEST_AND_HOST: &[Role] = &[Role::Guest, Role::Host];

/// The five who ask. The scene's guest and host under their own names, with all that a guest and a host may do.
fn columns(scene: &Scene) -> [Person; 5] {
    let person = |name: &str, roles: &[Role]| scene.inn.person(name, roles);
    [
        person("alice", GUEST_AND_HOST),
        person("hanok", GUEST_AND_HOST),
        person("mallory", GUEST_AND_HOST),
        person("agnes", &[Role::Agent]),
        person("root", &[Role::Admin]),
    ]
}

/// The request that names the scene's own, and the same one with names of what never was.
fn requests(scene: &Scene, name: &str, request: &str) -> (Value, Value) {
    let request = if request.is_empty() { rpc(name).request } else { request };
    let text = scene.fill(request);
    (serde_json::from_str(&text).expect("JSON"), serde_json::from_str(&unreal(scene, &text)).expect("JSON"))
}

/// The text with the names of what never was for those of the scene.
fn unreal(scene: &Scene, text: &str) -> String {
    let nobody = scene.inn.user("nobody who ever called");
    let mut text = text.replace(&scene.guest.name, &nobody);
    for name in [&scene.room.name, &scene.stay.name, &scene.hold.name, &scene.stay.payment] {
        let id = name.rsplit('/').next().expect("an id");
        let other = Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string();
        text = text.replace(id, &other);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn z8_anothers_is_not_found_and_its_owners_find_it() {
    let scene = Scene::set().await;
    let people = columns(&scene);
    // The pages follow by event.
    for party in [&scene.guest, &scene.host] {
        party.booking(&scene.hold).await.expect("the page has caught up");
    }
    for (name, request, cells, not_found) in WHOSE {
        let (real, unreal_one) = requests(&scene, name, request);
        let cells = cells.chars().zip(COLUMNS).zip(&people);
        // Whoever is refused asks first: what they are told must not hang on what the others have done.
        let (answered, refused): (Vec<_>, Vec<_>) = cells.partition(|((cell, _), _)| *cell == 'y');
        for ((cell, column), person) in refused {
            let at = format!("{name} {request} by {column}");
            let status = person.asks(rpc(name).name, &real).await.expect_err(&at);
            if cell == 'r' {
                assert_eq!(reason(&status), "ROLE_REQUIRED", "{at}");
                continue;
            }
            assert_eq!(reason(&status), *not_found, "{at}");
            let twin = person.asks(rpc(name).name, &unreal_one).await.expect_err(&at);
            assert_eq!(said(&scene, &status), said(&scene, &twin), "{at} tells that it exists");
        }
        for ((_, column), person) in answered {
            let answer = person.asks(rpc(name).name, &real).await;
            answer.unwrap_or_else(|status| panic!("{name} {request} by {column}: {status:?}"));
        }
    }
    scene.inn.close().await;
}

/// All that a refusal tells, with the names that were asked for taken out.
fn said(scene: &Scene, status: &Status) -> Refusal {
    let mut refusal = refusal(status);
    refusal.message = unreal(scene, &refusal.message);
    refusal.metadata.values_mut().for_each(|value| *value = unreal(scene, value));
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn z8_a_stranger_who_tries_everything_changes_nothing() {
    let scene = Scene::set().await;
    let stranger = scene.inn.person("mallory", GUEST_AND_HOST);
    let before = [scene.guest.reservation(&scene.stay.name).await, scene.guest.reservation(&scene.hold.name).await]
        .map(|reservation| reservation.expect("alice's own"));
    for (name, request, ..) in WHOSE {
        let (real, _) = requests(&scene, name, request);
        stranger.asks(rpc(name).name, &real).await.expect_err(name);
    }
    let after = [scene.guest.reservation(&scene.stay.name).await, scene.guest.reservation(&scene.hold.name).await]
        .map(|reservation| reservation.expect("alice's own"));
    assert_eq!(before, after);
    let room = scene.guest.asks(rpc("GetRoom").name, &json!({"name": scene.room.name})).await.expect("the room");
    assert_eq!(part::<String>(&room, "/version"), scene.room.version.to_string());
    assert_eq!(part::<String>(&room, "/state"), "ACTIVE");
    scene.inn.close().await;
}

/// A list; its request; and how many each column finds in it.
const LISTED: &[(&str, &str, &str, [usize; 5])] = &[
    ("ListReservations", r#"{}"#, "/reservations", [2, 0, 0, 0, 0]),
    ("ListReservations", r#"{"view": "GUEST", "room": "$room"}"#, "/reservations", [2, 0, 0, 0, 0]),
    ("ListReservations", r#"{"view": "HOST"}"#, "/reservations", [0, 2, 0, 0, 0]),
    ("ListReservations", r#"{"view": "HOST", "room": "$room"}"#, "/reservations", [0, 2, 0, 0, 0]),
    ("ListPayments", r#"{}"#, "/payments", [1, 1, 0, 1, 1]),
    ("ListPayments", r#"{"case": "$stay"}"#, "/payments", [1, 1, 0, 1, 1]),
    ("ListBookings", r#"{"parent": "users/me"}"#, "/bookings", [2, 2, 0, 0, 0]),
];

#[tokio::test(flavor = "multi_thread")]
async fn m6_a_list_holds_what_is_the_callers_and_nothing_else() {
    let scene = Scene::set().await;
    let people = columns(&scene);
    // The page follows by event.
    scene.guest.booking(&scene.hold).await.expect("the page has caught up");
    for (name, request, list, counts) in LISTED {
        let request: Value = serde_json::from_str(&scene.fill(request)).expect("JSON");
        for ((person, column), count) in people.iter().zip(COLUMNS).zip(counts) {
            let answer = person.asks(rpc(name).name, &request).await.unwrap_or_else(|status| panic!("{status:?}"));
            let found = answer.pointer(list).and_then(Value::as_array).map_or(0, Vec::len);
            assert_eq!(found, *count, "{name} {request} by {column}: {answer}");
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z3_another_persons_request_id_replays_nothing_of_theirs() {
    let scene = Scene::set().await;
    let (alice, mallory) = (scene.guest.clone(), scene.inn.person("mallory", GUEST_AND_HOST));
    let (room, first, last) = (&scene.room.name, night(10).to_string(), night(12).to_string());
    let wish = json!({"room": room, "check_in_date": first, "check_out_date": last});
    let request = json!({"reservation": wish, "request_id": "the-same-for-both"});
    let rpc_name = rpc("CreateReservation").name;
    let hers = alice.asks(rpc_name, &request).await.expect("a hold");
    let again = alice.asks(rpc_name, &request).await.expect("the same answer");
    assert_eq!(hers, again);
    let his = mallory.asks(rpc_name, &request).await.expect("a hold of his own");
    assert_ne!(part::<String>(&hers, "/name"), part::<String>(&his, "/name"));
    assert_eq!(part::<String>(&his, "/guest"), mallory.name);

    let cancel = json!({"name": part::<String>(&hers, "/name"), "request_id": "cancel-1"});
    alice.asks(rpc("CancelReservation").name, &cancel).await.expect("cancelled");
    let status = mallory.asks(rpc("CancelReservation").name, &cancel).await.expect_err("not his");
    assert_eq!(reason(&status), "RESERVATION_NOT_FOUND");
    scene.inn.close().await;
}
