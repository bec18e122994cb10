use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage};
use serde_json::json;

use super::{describe, methods::Methods, only::Field, request};

fn methods() -> Methods {
    Methods::of(mesh::server::contracts().unwrap())
}

fn method(name: &str) -> MethodDescriptor {
    methods().find(name).unwrap()
}

fn field(message: &DynamicMessage, path: &str) -> String {
    Field::find(&message.descriptor(), path).unwrap().of(message).unwrap()
}

#[test]
fn an_rpc_is_found_by_its_bare_name_and_by_longer_ones() {
    for name in
        ["CreateRoom", "RoomService/CreateRoom", "jumak.room.v1.RoomService/CreateRoom", "RoomService.CreateRoom"]
    {
        assert_eq!(method(name).full_name(), "jumak.room.v1.RoomService.CreateRoom", "{name}");
    }
}

#[test]
fn bare_names_are_unique() {
    let methods = methods();
    let list = methods.list();
    let names: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert!(names.len() > 20, "{list}");
    assert_eq!(unique.len(), names.len());
}

#[test]
fn an_unknown_name_is_refused_with_similar_names() {
    let refusal = |name: &str| methods().find(name).unwrap_err().to_string();
    assert!(refusal("CreatRoom").contains("did you mean CreateRoom"), "{}", refusal("CreatRoom"));
    assert!(refusal("createroom").contains("did you mean CreateRoom"));
    assert!(refusal("RoomService/SearchRoom").contains("SearchRooms"));
    assert!(refusal("Timeline").contains("GetTimeline"));
    assert!(!refusal("xyzzy").contains("did you mean"));
}

#[test]
fn both_spellings_of_a_field_make_the_same_request_and_replies_are_in_camel_case() {
    let method = method("CreateRoom");
    let snake = r#"{"room": {"display_name": "Sea view", "nightly_rate": {"currency_code": "KRW", "units": 80000}}}"#;
    let camel = r#"{"room": {"displayName": "Sea view", "nightlyRate": {"currencyCode": "KRW", "units": "80000"}}}"#;
    let message = request::parse(&method, snake).unwrap();
    assert_eq!(message, request::parse(&method, camel).unwrap());
    assert_eq!(serde_json::to_value(&message).unwrap(), serde_json::from_str::<serde_json::Value>(camel).unwrap());
}

#[test]
fn a_field_mask_may_be_spelled_as_in_the_contract() {
    let method = method("UpdateRoom");
    let snake = request::parse(&method, r#"{"update_mask": "nightly_rate,place"}"#).unwrap();
    assert_eq!(snake, request::parse(&method, r#"{"updateMask": "nightlyRate,place"}"#).unwrap());
    assert_eq!(serde_json::to_value(&snake).unwrap(), json!({ "updateMask": "nightlyRate,place" }));
}

#[test]
fn an_invalid_request_is_refused_with_the_command_that_describes_it() {
    let refusal = |text: &str| request::parse(&method("CreateRoom"), text).unwrap_err();
    let unknown = refusal(r#"{"rooms": {}}"#).to_string();
    assert!(unknown.contains("rooms") && unknown.contains("jumak call CreateRoom --describe"), "{unknown}");
    assert!(refusal("{").to_string().contains("not valid JSON"));
}

#[test]
fn a_request_id_is_refused_for_an_rpc_without_one() {
    let message = request::read(&method("CreateRoom"), "{}", Some("once")).unwrap();
    assert_eq!(field(&message, "request_id"), "once");
    let message = request::read(&method("CreateRoom"), "{}", Some("auto")).unwrap();
    assert_eq!(field(&message, "requestId").len(), 36);
    assert!(request::read(&method("GetRoom"), "{}", Some("once")).is_err());
    for empty in ["", " "] {
        let refusal = request::read(&method("CreateRoom"), "{}", Some(empty)).unwrap_err().to_string();
        assert!(refusal.contains("is empty"), "{refusal}");
    }
}

#[test]
fn a_single_string_field_is_printed_without_quotes() {
    let message = request::parse(&method("SearchRooms"), r#"{"guests": 2, "amenities": ["wifi"]}"#).unwrap();
    assert_eq!(field(&message, "amenities.0"), "wifi");
    assert_eq!(field(&message, "guests"), "2");
    let refusal = Field::find(&message.descriptor(), "amenities.1").unwrap().of(&message).unwrap_err().to_string();
    assert_eq!(refusal, "the reply has no amenities.1");
}

/// JSON leaves out fields with their default.
#[test]
fn a_field_that_the_json_leaves_out_has_its_default() {
    let message = DynamicMessage::new(method("CreateReservation").output());
    for (path, expected) in [
        ("name", ""),
        ("units", "0"),
        ("state", "STATE_UNSPECIFIED"),
        ("create_time", "null"),
        ("price.lines", "[]"),
        ("price.total.currencyCode", ""),
    ] {
        assert_eq!(field(&message, path), expected, "{path}");
    }
}

#[test]
fn a_field_that_the_reply_cannot_have_is_refused_before_the_call() {
    let reply = method("ListRooms").output();
    for (path, expected) in [
        ("nothing.here", "has no `nothing`; it has rooms"),
        ("rooms.name", "must be the number of a list element"),
        ("rooms.0.nam", "a Room has no `nam`"),
        ("rooms.0.name.first", "has no fields"),
        ("rooms.0.create_time.seconds", "has no fields"),
        ("", "has no ``"),
    ] {
        let refusal = Field::find(&reply, path).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{path}: {refusal}");
    }
}

#[test]
fn an_invalid_value_is_refused_with_its_field_and_the_expected_type() {
    let refusal = |name: &str, text: &str| request::parse(&method(name), text).unwrap_err().to_string();
    let told = refusal("ListRooms", r#"{"page_token": "", "page_size": 9999999999}"#);
    assert!(told.contains("page_size: ") && told.contains("its type is int32"), "{told}");
    let told = refusal("CreateRoom", r#"{"room": {"nightly_rate": {"units": "many"}, "units": 1}}"#);
    assert!(told.contains("room.nightly_rate.units: ") && told.contains("its type is int64"), "{told}");
    let told = refusal("CreateRoom", r#"{"room": []}"#);
    assert!(told.contains("room: ") && told.contains("its type is Room"), "{told}");
}

#[test]
fn an_rpc_is_described_with_its_comments_and_without_output_only_fields() {
    let text = describe::describe(&method("CreateRoom")).unwrap();
    for expected in
        ["Registers a room", "room  Room  (required)", "display_name  string  (required)", "request_id  string"]
    {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    assert!(!text.contains("create_time"), "{text}");
    let text = describe::describe(&method("DeleteRoom")).unwrap();
    assert!(text.contains("CANCEL"), "{text}");
}

#[test]
fn rpcs_for_contexts_only_are_marked() {
    assert!(describe::is_internal(&method("CreatePayment")));
    assert!(!describe::is_internal(&method("GetPayment")));
}
