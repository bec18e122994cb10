//! My page is away for ten thousand events.

use std::time::Duration;

use contracts::{
    mypage::v1::GetMyPageRequest,
    room::v1::{Room, RoomUpdated},
};
use futures::StreamExt;
use jumak::house::Member;
use mesh::{
    Actor, Clock, Database, Event,
    bus::Bus,
    clock::to_proto,
    inbox::incarnation,
    outbox,
    store::entity::{inbox, outbox as rows},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use tokio::time::Instant;

use super::operator;
use crate::{
    mesh::options,
    support::{Inn, Person, eventually_within},
};

const ROOMS: i64 = 100;
/// Changes of each room while my page is away.
const CHANGES: i64 = 100;
/// Events that are committed at once.
const BATCH: usize = 500;
/// How long publishing, and catching up, may take: a build for debugging handles some hundred events in a second.
const PATIENCE: Duration = Duration::from_secs(180);
/// What all rooms are called in the end.
const LAST_NAME: &str = "The garden room, at last";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_my_page_that_was_away_for_ten_thousand_events_catches_up() {
    let inn = Inn::in_mesh(options()).await;
    let host = inn.host("hana");
    let rooms: Vec<Room> =
        futures::stream::iter(0..ROOMS).map(|_| host.registers_a_room(1)).buffer_unordered(8).collect().await;
    inn.audit().await;
    inn.mesh().await.kill(Member::MYPAGE, 0).expect("it ran");

    let (database, begun) = (inn.database("room").await, Instant::now());
    tell(&database, &rooms).await;
    let unpublished = rows::Entity::find().filter(rows::Column::PublishTime.is_null());
    eventually_within(PATIENCE, "all of it is published", || async {
        let left = unpublished.clone().count(database.read()).await.expect("a count");
        (left == 0).then_some(())
    })
    .await;
    let published = begun.elapsed();
    // The others have heard it by then, so that my page has the machine to itself.
    let bus = operator(&inn).await;
    eventually_within(PATIENCE, "reservation has heard all of it", || async {
        (bus.pending(Member::RESERVATION.name()).await.expect("a number") == 0).then_some(())
    })
    .await;

    let my_page = inn.database("mypage").await;
    let consumer = format!("mypage-{}", incarnation(&my_page).await.expect("a name").simple());
    let missed = bus.pending(&consumer).await.expect("a number");
    assert_eq!(i64::try_from(missed), Ok(ROOMS * CHANGES), "that is what it has missed");
    inn.mesh().await.restart(Member::MYPAGE, 0, Vec::new()).await.expect("it starts again");
    let back = Instant::now();
    eventually_within(PATIENCE, "my page has caught up", || async {
        (bus.pending(&consumer).await.expect("a number") == 0).then_some(())
    })
    .await;
    let took = back.elapsed();
    println!(
        "{missed} events: committed and published in {:.1} s, caught up with in {:.1} s once ready, {:.0} events/s",
        published.as_secs_f64(),
        took.as_secs_f64(),
        missed as f64 / took.as_secs_f64().max(0.05),
    );

    let heard = inbox::Entity::find().count(my_page.read()).await.expect("a count");
    assert_eq!(i64::try_from(heard), Ok(ROOMS * (CHANGES + 1)), "each of them once");
    assert_shows_the_newest(&host).await;
    inn.audit().await;
    inn.close().await;
}

/// Changes every room again and again, as the rooms' context does: each change is committed with its event. Here many at once.
async fn tell(database: &Database, rooms: &[Room]) {
    let actor = Actor::context("room", "catching-up");
    let mut events = Vec::new();
    for change in 1..=CHANGES {
        for room in rooms {
            let now = Clock::system().now();
            let version = room.version + change;
            let room = Room {
                version,
                display_name: if change == CHANGES { LAST_NAME.to_owned() } else { format!("Garden room {change}") },
                update_time: Some(to_proto(now)),
                etag: format!("v{version}"),
                ..room.clone()
            };
            let (name, version) = (room.name.clone(), version.unsigned_abs());
            events.push(Event::new("room", "room", name, version, now, &actor, &RoomUpdated { room: Some(room) }));
        }
    }
    for batch in events.chunks(BATCH) {
        let written = database.transact("tell", |tx| async move {
            for event in batch {
                outbox::append(&tx, event.clone()).await?;
            }
            Ok(())
        });
        written.await.expect("committed");
    }
    let changed = format!("UPDATE room SET version = version + {CHANGES}, display_name = '{LAST_NAME}'");
    database.for_migrations().execute_unprepared(&changed).await.expect("changed");
}

async fn assert_shows_the_newest(host: &Person) {
    let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
    let page = host.my_page().get_my_page(request).await.expect("a page").into_inner();
    assert_eq!(page.counts.and_then(|counts| counts.rooms).map(i64::from), Some(ROOMS));
    assert!(!page.rooms.is_empty());
    for room in page.rooms {
        assert_eq!(room.display_name, LAST_NAME);
    }
}
