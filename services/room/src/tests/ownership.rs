//! Whose room it is, and who may call what.

use contracts::{
    reservation::v1::reservation::State,
    room::v1::{BlockNightsRequest, Room, room::OnReserved, room_service_server::RoomService},
};
use mesh::{Principal, Role, auth::access::AccessTable};

use super::{AGENT, Booking, HOST, Inn, RIVAL, SERVICE_CENTRE, a_room, call, reason, refusal};
use crate::{ACCESS, reasons};

#[tokio::test]
async fn another_hosts_room_is_not_found() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await;
    let wish = Room { name: room.name.clone(), place: "Jeju".to_owned(), ..Room::default() };
    assert_eq!(reason(inn.update(RIVAL, wish, &[]).await), reasons::ROOM_NOT_FOUND);
    assert_eq!(reason(inn.delete(RIVAL, &room.name, OnReserved::Keep).await), reasons::ROOM_NOT_FOUND);
    let block = BlockNightsRequest {
        name: room.name.clone(),
        start_date: "2027-05-01".to_owned(),
        end_date: "2027-05-02".to_owned(),
        ..BlockNightsRequest::default()
    };
    assert_eq!(reason(inn.grpc.block_nights(call(RIVAL, block)).await), reasons::ROOM_NOT_FOUND);
    let nights = inn.calendar(RIVAL, &room.name, "2027-05-01", "2027-05-02").await;
    assert_eq!(reason(nights), reasons::ROOM_NOT_FOUND);
    assert_eq!(inn.get(&room.name).await, room);
    inn.calendar(HOST, &room.name, "2027-05-01", "2027-05-02").await.expect("the host's own");
}

#[tokio::test]
async fn an_agent_looks_into_any_room_and_removes_it_at_once() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    inn.calendar(AGENT, &room, "2027-05-01", "2027-05-02").await.expect("any room");
    inn.delete(AGENT, &room, OnReserved::Cancel).await.expect("deleted");
    assert_eq!(inn.told().await.last().map(|event| event.actor.clone()), Some(AGENT.to_owned()));
}

#[tokio::test]
async fn the_service_centre_removes_any_room_and_is_told_of_its_stays() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    let sold = Booking::new(&room, "2027-05-10", "2027-05-12", 1);
    inn.hear(&[sold.event(State::Confirmed, 2)]).await;
    let refused = refusal(inn.delete(SERVICE_CENTRE, &room, OnReserved::Refuse).await);
    assert_eq!(refused.metadata.get("cases"), Some(&sold.name));
    inn.delete(SERVICE_CENTRE, &room, OnReserved::Cancel).await.expect("deleted");
    assert_eq!(inn.told().await.last().map(|event| event.actor.clone()), Some(SERVICE_CENTRE.to_owned()));
}

#[test]
fn each_method_is_for_those_it_names() {
    let table = AccessTable::new(ACCESS, &[]).expect("one rule each");
    let everybody = [
        Principal::User { name: "users/x".to_owned(), roles: vec![Role::Guest] },
        Principal::User { name: "users/x".to_owned(), roles: vec![Role::Host] },
        Principal::User { name: "users/x".to_owned(), roles: vec![Role::Agent] },
        Principal::User { name: "users/x".to_owned(), roles: vec![Role::Admin] },
        Principal::Context { name: "reservation".to_owned() },
        Principal::Context { name: "servicecenter".to_owned() },
    ];
    for (method, admitted) in [
        ("CreateRoom", [false, true, false, false, false, false]),
        ("GetRoom", [true; 6]),
        ("ListRooms", [true; 6]),
        ("UpdateRoom", [false, true, false, false, false, false]),
        ("DeleteRoom", [false, true, true, true, false, true]),
        ("BlockNights", [false, true, false, false, false, false]),
        ("SearchRooms", [true; 6]),
        ("GetRoomCalendar", [false, true, true, true, false, false]),
    ] {
        let method = format!("jumak.room.v1.RoomService/{method}");
        let may: Vec<_> = everybody.iter().map(|principal| table.check(&method, principal).is_ok()).collect();
        assert_eq!(may, admitted, "{method}");
    }
}
