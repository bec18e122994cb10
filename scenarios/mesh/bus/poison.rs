//! An event that a consumer cannot handle, among many that it can.

use contracts::{
    mypage::v1::GetMyPageRequest,
    room::v1::{CreateRoomRequest, Room},
};
use local_mesh::Options;
use sea_orm::ConnectionTrait;

use super::dead_letters;
use crate::{
    mesh::{
        meters::{Meters, scraped},
        options,
    },
    support::{Inn, Person, eventually, setup::Setup, won},
};

/// Rooms before the one that cannot be shown, and as many after it.
const ROOMS: i32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_an_event_that_cannot_be_handled_is_put_aside_and_replayed_when_it_can() {
    let inn = Inn::in_mesh(Options { config: scraped(Setup::new()).config, ..options() }).await;
    let host = inn.host("hana");
    // A mistake of the kind that is made: a table that does not take what the contract allows.
    let database = inn.database("mypage").await;
    let mistake = "ALTER TABLE room ADD CONSTRAINT mistake CHECK (display_name <> 'Poison')";
    database.for_migrations().execute_unprepared(mistake).await.expect("a constraint");
    for number in 0..ROOMS {
        registers(&host, &format!("Before {number}")).await;
    }
    registers(&host, "Poison").await;
    for number in 0..ROOMS {
        registers(&host, &format!("After {number}")).await;
    }

    // The others come through long before anybody gives up on this one.
    shows(&host, 2 * ROOMS).await;
    let meters = Meters::of(&inn, jumak::house::Member::MYPAGE, 0);
    assert_eq!(meters.read().await.sum("jumak_consumer_dead_letters_total", &[]), 0.0);
    let listed = eventually("it is put aside", || async {
        let listed = dead_letters(&inn, &[]).await;
        listed.contains("jumak.room.v1.room.created").then_some(listed)
    })
    .await;
    let [letter] = listed.lines().collect::<Vec<_>>()[..] else { panic!("one event was put aside: {listed}") };
    let [consumer, _, _, _, reason] = letter.split('\t').collect::<Vec<_>>()[..] else { panic!("{letter}") };
    assert!(consumer.starts_with("mypage-"), "{letter}");
    assert!(reason.starts_with("failed 5 times: "), "{letter}");
    assert_eq!(meters.read().await.sum("jumak_consumer_dead_letters_total", &[]), 1.0);
    shows(&host, 2 * ROOMS).await;

    // The mistake is found, and the event is given to the consumer again.
    database.for_migrations().execute_unprepared("ALTER TABLE room DROP CONSTRAINT mistake").await.expect("undone");
    let replayed = dead_letters(&inn, &["--replay", consumer]).await;
    assert_eq!(replayed.trim(), format!("1 dead letter will be delivered to {consumer} again"));
    shows(&host, 2 * ROOMS + 1).await;
    assert_eq!(dead_letters(&inn, &[]).await.trim(), "there are no dead letters");
    inn.audit().await;
    inn.close().await;
}

async fn registers(host: &Person, display_name: &str) {
    let room = Room { display_name: display_name.to_owned(), nightly_rate: Some(won(90_000)), ..Room::default() };
    let request = CreateRoomRequest { room: Some(room), ..CreateRoomRequest::default() };
    host.rooms().create_room(request).await.expect("a room");
}

/// Waits until so many rooms are on the host's page.
async fn shows(host: &Person, rooms: i32) {
    eventually(format!("{rooms} rooms are shown"), || async {
        let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
        // Nobody has a page before anything on it is heard of.
        let page = host.my_page().get_my_page(request).await.ok()?.into_inner();
        (page.counts?.rooms == Some(rooms)).then_some(())
    })
    .await;
}
