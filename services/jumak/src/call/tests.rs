use prost_reflect::MethodDescriptor;
use serde_json::json;

use super::{describe, methods::Methods, request};

fn methods() -> Methods {
    Methods::of(mesh::server::contracts().unwrap())
}

fn method(name: &str) -> MethodDescriptor {
    methods().find(name).unwrap()
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
fn a_wrong_name_is_answered_with_the_nearest_ones() {
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
fn a_field_mask_is_taken_as_the_contract_spells_it() {
    let method = method("UpdateRoom");
    let snake = request::parse(&method, r#"{"update_mask": "nightly_rate,place"}"#).unwrap();
    assert_eq!(snake, request::parse(&method, r#"{"updateMask": "nightlyRate,place"}"#).unwrap());
    assert_eq!(serde_json::to_value(&snake).unwrap(), json!({ "updateMask": "nightlyRate,place" }));
}

#[test]
fn a_request_that_cannot_be_read_says_where_to_look() {
    let refusal = |text: &str| request::parse(&method("CreateRoom"), text).unwrap_err();
    let unknown = refusal(r#"{"rooms": {}}"#).to_string();
    assert!(unknown.contains("rooms") && unknown.contains("jumak call CreateRoom --describe"), "{unknown}");
    assert!(refusal("{").to_string().contains("no JSON"));
}

#[test]
fn a_request_id_goes_only_where_there_is_one() {
    let message = request::read(&method("CreateRoom"), "{}", Some("once")).unwrap();
    assert_eq!(request::field(&message, "request_id").unwrap(), "once");
    let message = request::read(&method("CreateRoom"), "{}", Some("auto")).unwrap();
    assert_eq!(request::field(&message, "requestId").unwrap().len(), 36);
    assert!(request::read(&method("GetRoom"), "{}", Some("once")).is_err());
}

#[test]
fn one_field_of_a_reply_is_plain_text() {
    let message = request::parse(&method("SearchRooms"), r#"{"guests": 2, "amenities": ["wifi"]}"#).unwrap();
    assert_eq!(request::field(&message, "amenities.0").unwrap(), "wifi");
    assert_eq!(request::field(&message, "guests").unwrap(), "2");
    assert!(request::field(&message, "nothing.here").unwrap_err().to_string().contains("nothing.here"));
}

#[test]
fn an_rpc_is_explained_with_its_comments_and_without_what_only_the_server_sets() {
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
fn what_only_contexts_may_call_is_marked() {
    assert!(describe::is_internal(&method("CreatePayment")));
    assert!(!describe::is_internal(&method("GetPayment")));
}
