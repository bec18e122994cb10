//! A refusal is read by a stock client as what it is: its reason, its metadata, each field at fault.

use serde_json::Value;

use super::grpcurl::{House, Said};

const CREATE_ROOM: &str = "jumak.room.v1.RoomService/CreateRoom";
const CREATE_RESERVATION: &str = "jumak.reservation.v1.ReservationService/CreateReservation";

/// What grpcurl prints of a refusal: nobody should have to decode any of it.
fn refusal(said: Said) -> String {
    assert!(!said.ok, "it was not refused: {}", said.out);
    // What grpcurl says when it does not know the message of a detail.
    for undecoded in ["@value", "\"value\"", "not recognized", "unknown message type"] {
        assert!(!said.err.contains(undecoded), "a detail was not understood: {}", said.err);
    }
    said.err
}

fn new_room(house: &House) -> String {
    let request = r#"{"room": {"display_name": "Sea view", "nightly_rate": {"currency_code": "KRW", "units": 80000}}}"#;
    let room: Value = serde_json::from_str(&house.call(CREATE_ROOM, request)).expect("JSON");
    room["name"].as_str().expect("a name").to_owned()
}

#[tokio::test]
async fn the_reason_of_a_refusal_and_its_metadata_are_readable() {
    let house = House::open().await;
    let room = new_room(&house);
    let request = format!(
        r#"{{"reservation": {{"room": "{room}", "check_in_date": "2030-05-01", "check_out_date": "2030-05-03"}},
            "payment_method": {{"token": "tok_approve"}}}}"#
    );
    assert!(house.call(CREATE_RESERVATION, &request).contains("CONFIRMED"));
    let said = refusal(house.grpcurl(&["-d", &request], &[CREATE_RESERVATION]));
    for expected in [
        "Code: FailedPrecondition",
        "the room is sold out on 2030-05-01 (0 of 1 left); try other dates or SearchRooms",
        r#""reason": "ROOM_UNAVAILABLE""#,
        r#""domain": "jumak""#,
        r#""date": "2030-05-01""#,
        r#""units_left": "0""#,
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
}

#[tokio::test]
async fn every_field_at_fault_is_readable() {
    let house = House::open().await;
    let said = refusal(house.grpcurl(&["-d", r#"{"room": {"units": 0}}"#], &[CREATE_ROOM]));
    for expected in [
        "Code: InvalidArgument",
        r#""reason": "INVALID_FIELDS""#,
        r#""field": "room.display_name""#,
        r#""field": "room.nightly_rate""#,
        r#""field": "room.units""#,
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
}

#[tokio::test]
async fn without_a_token_the_refusal_says_how_to_get_one() {
    let house = House::open().await;
    let said = refusal(house.without_a_token(&["-d", "{}"], &[CREATE_ROOM]));
    assert!(said.contains("Code: Unauthenticated"), "{said}");
    assert!(said.contains("jumak token --user alice"), "{said}");
}
