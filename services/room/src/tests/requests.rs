//! The same request id: the same answer.

use contracts::room::v1::{
    BlockNightsRequest, CreateRoomRequest, DeleteRoomRequest, Room, UpdateRoomRequest, room::OnReserved,
    room_service_server::RoomService,
};
use mesh::Reason;

use super::{HOST, Inn, RIVAL, a_room, call, faults, reason};
use crate::reasons;

fn create(display_name: &str, request_id: &str) -> CreateRoomRequest {
    CreateRoomRequest { room: Some(a_room(display_name)), request_id: request_id.to_owned() }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_changes_nothing() {
    let inn = Inn::open().await;
    let first = inn.grpc.create_room(call(HOST, create("Blue room", "r1"))).await.expect("created").into_inner();
    let again = inn.grpc.create_room(call(HOST, create("Blue room", "r1"))).await.expect("replayed").into_inner();
    assert_eq!(first, again);

    let block = BlockNightsRequest {
        name: first.name.clone(),
        start_date: "2027-05-01".to_owned(),
        end_date: "2027-05-03".to_owned(),
        units: Some(1),
        unblock: false,
        request_id: "r1".to_owned(),
    };
    let free = BlockNightsRequest { unblock: true, request_id: "r2".to_owned(), ..block.clone() };
    let blocked = inn.block(block.clone()).await.expect("blocked");
    inn.block(free).await.expect("freed");
    assert_eq!(inn.block(block).await.expect("replayed"), blocked, "the answer of then, not of now");

    let update = UpdateRoomRequest {
        room: Some(Room { name: first.name.clone(), place: "Jeju".to_owned(), ..Room::default() }),
        update_mask: None,
        request_id: "r3".to_owned(),
    };
    let updated = inn.grpc.update_room(call(HOST, update.clone())).await.expect("updated").into_inner();
    let delete = DeleteRoomRequest {
        name: first.name,
        on_reserved: OnReserved::Cancel.into(),
        request_id: "r4".to_owned(),
        ..DeleteRoomRequest::default()
    };
    let deleted = inn.grpc.delete_room(call(HOST, delete.clone())).await.expect("deleted").into_inner();
    assert_eq!(inn.grpc.delete_room(call(HOST, delete)).await.expect("replayed").into_inner(), deleted);
    let replayed = inn.grpc.update_room(call(HOST, update)).await.expect("replayed, though deleted since");
    assert_eq!(replayed.into_inner(), updated);
    assert_eq!(inn.told().await.len(), 5, "created, blocked, freed, updated, deleted");
}

#[tokio::test]
async fn a_request_id_stands_for_one_request_of_one_user() {
    let inn = Inn::open().await;
    inn.grpc.create_room(call(HOST, create("Blue room", "r1"))).await.expect("created");
    let other = inn.grpc.create_room(call(HOST, create("Red room", "r1"))).await;
    assert_eq!(reason(other), Reason::REQUEST_ID_REUSED);
    inn.grpc.create_room(call(RIVAL, create("Red room", "r1"))).await.expect("another user's id");
    assert_eq!(faults(inn.grpc.create_room(call(HOST, create("Blue room", "r 1"))).await), ["request_id"]);
    assert_eq!(inn.told().await.len(), 2);
}

#[tokio::test]
async fn a_request_that_writes_its_defaults_out_is_the_same_request() {
    let inn = Inn::open().await;
    let wish = Room { amenities: vec!["wifi".to_owned()], rating: Some(0.0), ..a_room("Blue room") };
    let create = |room| CreateRoomRequest { room: Some(room), request_id: "r1".to_owned() };
    let first = inn.grpc.create_room(call(HOST, create(wish.clone()))).await.expect("created").into_inner();
    for same in [
        // With every default, and all that is only shown.
        first.clone(),
        Room { units: Some(1), ..wish.clone() },
        Room { amenities: vec!["wifi".to_owned(), "wifi".to_owned()], rating: Some(-0.0), ..wish.clone() },
    ] {
        let again = inn.grpc.create_room(call(HOST, create(same.clone()))).await;
        assert_eq!(again.expect("replayed").into_inner(), first, "{same:?}");
    }
    for other in [Room { units: Some(2), ..wish.clone() }, Room { place: "Jeju".to_owned(), ..wish.clone() }] {
        assert_eq!(reason(inn.grpc.create_room(call(HOST, create(other))).await), Reason::REQUEST_ID_REUSED);
    }

    let update = |room, paths: &[&str]| UpdateRoomRequest {
        room: Some(room),
        update_mask: (!paths.is_empty())
            .then(|| prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        request_id: "r2".to_owned(),
    };
    let wish = Room { name: first.name.clone(), place: "Jeju".to_owned(), units: Some(1), ..Room::default() };
    let updated = inn.grpc.update_room(call(HOST, update(wish.clone(), &[]))).await.expect("updated").into_inner();
    for same in [
        update(wish.clone(), &["units", "place", "units"]),
        update(Room { units: None, ..wish.clone() }, &["place", "units"]),
        update(Room { host: "users/nobody".to_owned(), version: 7, ..wish.clone() }, &[]),
    ] {
        let again = inn.grpc.update_room(call(HOST, same.clone())).await;
        assert_eq!(again.expect("replayed").into_inner(), updated, "{same:?}");
    }
    let other = inn.grpc.update_room(call(HOST, update(wish, &["place"]))).await;
    assert_eq!(reason(other), Reason::REQUEST_ID_REUSED);

    let delete = |on_reserved: OnReserved| DeleteRoomRequest {
        name: first.name.clone(),
        on_reserved: on_reserved.into(),
        request_id: "r3".to_owned(),
        ..DeleteRoomRequest::default()
    };
    let deleted =
        inn.grpc.delete_room(call(HOST, delete(OnReserved::Unspecified))).await.expect("deleted").into_inner();
    let again = inn.grpc.delete_room(call(HOST, delete(OnReserved::Keep))).await;
    assert_eq!(again.expect("replayed").into_inner(), deleted);
    assert_eq!(reason(inn.grpc.delete_room(call(HOST, delete(OnReserved::Cancel))).await), Reason::REQUEST_ID_REUSED);
}

#[tokio::test]
async fn a_request_that_was_refused_may_try_again_under_its_id() {
    let inn = Inn::open().await;
    let numbered = Room { number: "204".to_owned(), ..a_room("Blue room") };
    let first = inn.create(numbered.clone()).await;
    let message = CreateRoomRequest { room: Some(numbered), request_id: "r1".to_owned() };
    assert_eq!(reason(inn.grpc.create_room(call(HOST, message.clone())).await), reasons::ROOM_NUMBER_TAKEN);
    inn.delete(HOST, &first.name, OnReserved::Keep).await.expect("deleted");
    inn.grpc.create_room(call(HOST, message)).await.expect("created");
}

#[tokio::test]
async fn the_same_request_sent_twice_at_once_makes_one_room() {
    let inn = Inn::open().await;
    let (one, two) = tokio::join!(
        inn.grpc.create_room(call(HOST, create("Blue room", "r1"))),
        inn.grpc.create_room(call(HOST, create("Blue room", "r1"))),
    );
    assert_eq!(one.expect("created").into_inner(), two.expect("created").into_inner());
    assert_eq!(inn.told().await.len(), 1);
}
