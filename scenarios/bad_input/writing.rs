//! What people write, in their own scripts, and what only looks like it.

use serde_json::{Value, json};
use tonic::Status;

use super::put;
use crate::support::{reason, rpcs::rpc, scene::Scene, wire::part};

async fn asks(scene: &Scene, name: &str, fields: &[(&str, Value)]) -> Result<Value, Status> {
    let rpc = rpc(name);
    let mut request = scene.request(rpc);
    for (field, value) in fields {
        put(&mut request, field, value.clone());
    }
    scene.by(rpc).asks(rpc.name, &request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_number_is_not_a_card() {
    let scene = Scene::set().await;
    let phone = "reservation.guest_details.phone";
    // All of these pass for the number of a card.
    for number in ["5511900000002", "55 11 90000-0002", "5511900000002 / 5511900000002", "378282246310005"] {
        let booked = asks(&scene, "CreateReservation", &[(phone, json!(number))]).await.expect(number);
        assert_eq!(part::<String>(&booked, "/guestDetails/phone"), number);
        scene.guest.cancels(&part::<String>(&booked, "/name")).await.expect("cancelled");
    }
    // Longer than any telephone number.
    for number in ["4111111111111111", "+4111 1111 1111 1111", "4111/1111/1111/1111"] {
        let status = asks(&scene, "CreateReservation", &[(phone, json!(number))]).await.expect_err(number);
        assert_eq!(reason(&status), "CARD_NUMBER_REFUSED", "{number}");
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_of_digits_is_not_a_card() {
    let scene = Scene::set().await;
    let id = ("request_id", json!("4000056655665556"));
    let first = asks(&scene, "CreateRoom", std::slice::from_ref(&id)).await.expect("a room");
    assert_eq!(asks(&scene, "CreateRoom", &[id]).await.expect("the same"), first);
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_refused_in_a_note_however_it_is_written() {
    let scene = Scene::set().await;
    let note = "reservation.guest_details.note";
    for card in [
        "4111\n1111\n1111\n1111",
        "4111\r\n1111\r\n1111\r\n1111",
        "my card:\n4111\t1111\t1111\t1111",
        "４１１１ １１１１ １１１１ １１１１",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "4111\u{2009}1111\u{2009}1111\u{2009}1111",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
        "4111—1111—1111—1111",
        "4111\u{200b}1111\u{200b}1111\u{200b}1111",
        "4111, 1111, 1111, 1111",
    ] {
        let status = asks(&scene, "CreateReservation", &[(note, json!(card))]).await.expect_err(card);
        assert_eq!(reason(&status), "CARD_NUMBER_REFUSED", "{card:?}");
    }
    let harmless = "We arrive 2027-05-01 15:30\nand leave 03.05.2027.\n350,000원 / 420,000원 / 510,000원\n010-1234-5678, 010-9876-5432";
    asks(&scene, "CreateReservation", &[(note, json!(harmless))]).await.expect("dates, prices and telephone numbers");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_found_however_a_guest_writes_it() {
    let scene = Scene::set().await;
    for (place, written) in [
        ("İstanbul", &["istanbul", "ISTANBUL", "İSTANBUL"][..]),
        ("Gießen", &["GIESSEN", "gießen"]),
        ("제주 애월", &["제주", "\u{110c}\u{1166}\u{110c}\u{116e}"]),
        ("\u{110b}\u{1161}\u{110b}\u{116f}\u{11af} 바다", &["아월"]),
    ] {
        let room = asks(&scene, "CreateRoom", &[("room.place", json!(place))]).await.expect(place);
        for written in written {
            let request = json!({ "place": written });
            let answer = scene.guest.asks(rpc("SearchRooms").name, &request).await.expect(written);
            let offers = part::<Vec<Value>>(&answer, "/offers");
            assert!(
                offers.iter().any(|offer| offer["room"]["name"] == room["name"]),
                "{written} in {place}: {offers:?}"
            );
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_has_one_number_however_it_is_written() {
    let scene = Scene::set().await;
    asks(&scene, "CreateRoom", &[("room.number", json!("204"))]).await.expect("the first door");
    for number in ["204", "204\u{200b}", "２０４", "\u{2060}204"] {
        let status = asks(&scene, "CreateRoom", &[("room.number", json!(number))]).await.expect_err(number);
        assert_eq!(reason(&status), "ROOM_NUMBER_TAKEN", "{number:?}");
    }
    scene.inn.close().await;
}
