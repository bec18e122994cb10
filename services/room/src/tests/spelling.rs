//! How places and numbers are compared: as people read them, on every engine alike.

use contracts::room::v1::{Room, SearchRoomsRequest, room_service_server::RoomService};

use super::{GUEST, HOST, Inn, RIVAL, a_room, call, faults, reason};
use crate::reasons;

impl Inn {
    async fn in_place(&self, place: &str) -> Vec<String> {
        let query = SearchRoomsRequest { place: place.to_owned(), ..SearchRoomsRequest::default() };
        let answer = self.grpc.search_rooms(call(GUEST, query)).await.expect("a page").into_inner();
        answer.offers.into_iter().filter_map(|offer| offer.room).map(|room| room.place).collect()
    }
}

fn in_place(display_name: &str, place: &str) -> Room {
    Room { place: place.to_owned(), ..a_room(display_name) }
}

fn numbered(number: &str) -> Room {
    Room { number: number.to_owned(), ..a_room("A door") }
}

#[tokio::test]
async fn a_place_is_found_however_its_name_is_written() {
    let inn = Inn::open().await;
    for place in ["İstanbul", "Gießen, Hessen", "제주", "Αθήνα, ΠΛΆΚΑΣ", "Ｔｏｋｙｏ", "Isparta", "100% Jeju_!"]
    {
        inn.create(in_place("A room", place)).await;
    }
    for (place, found) in [
        ("istanbul", "İstanbul"),
        ("İSTANBUL", "İstanbul"),
        ("Istanbul", "İstanbul"),
        ("ıstanbul", "İstanbul"),
        ("i\u{307}stanbul", "İstanbul"),
        ("GIESSEN", "Gießen, Hessen"),
        ("gießen", "Gießen, Hessen"),
        ("GIEẞEN", "Gießen, Hessen"),
        ("\u{110c}\u{1166}\u{110c}\u{116e}", "제주"),
        ("제주", "제주"),
        ("αθη\u{301}να", "Αθήνα, ΠΛΆΚΑΣ"),
        ("πλάκας", "Αθήνα, ΠΛΆΚΑΣ"),
        ("tokyo", "Ｔｏｋｙｏ"),
        ("ＴＯＫＹＯ", "Ｔｏｋｙｏ"),
        ("İSPARTA", "Isparta"),
        ("100% JEJU_!", "100% Jeju_!"),
    ] {
        assert_eq!(inn.in_place(place).await, [found], "{place}");
    }
    assert!(inn.in_place("Giesen").await.is_empty());
}

#[tokio::test]
async fn a_number_is_one_door_however_it_is_written() {
    let inn = Inn::open().await;
    inn.create(numbered("204")).await;
    inn.create(numbered("Café")).await;
    for number in ["204\u{200b}", "２０４", "2\u{2060}04", "\u{feff}204", "²04", "Cafe\u{301}"] {
        assert_eq!(reason(inn.try_create(HOST, numbered(number)).await), reasons::ROOM_NUMBER_TAKEN, "{number:?}");
    }
    for number in ["204 ", "204\u{3000}"] {
        assert_eq!(faults(inn.try_create(HOST, numbered(number)).await), ["room.number"], "{number:?}");
    }
    inn.try_create(RIVAL, numbered("２０４")).await.expect("another host's door");
    inn.create(numbered("204a")).await;
    let other = inn.create(numbered("２０５")).await;
    assert_eq!(other.number, "２０５", "it is shown as its host wrote it");
    let wish = Room { name: other.name, number: "２０４".to_owned(), ..Room::default() };
    assert_eq!(reason(inn.update(HOST, wish, &[]).await), reasons::ROOM_NUMBER_TAKEN);
}

#[tokio::test]
async fn what_grows_when_it_is_spelled_out_still_has_its_bound() {
    let inn = Inn::open().await;
    assert_eq!(faults(inn.try_create(HOST, numbered(&"㎢".repeat(9))).await), ["room.number"]);
    inn.create(numbered(&"㎢".repeat(5))).await;
    assert_eq!(faults(inn.try_create(HOST, in_place("A room", &"ﷺ".repeat(21))).await), ["room.place"]);
    inn.create(in_place("A room", &"ﷺ".repeat(20))).await;
    let long = "㎢".repeat(120);
    inn.create(in_place("A room", &long)).await;
    assert_eq!(inn.in_place(&long).await, [long]);
}
