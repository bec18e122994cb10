//! Registering, reading, changing and deleting rooms.

use contracts::{
    google::r#type::{LatLng, Money},
    reservation::v1::reservation::State,
    room::v1::{
        ListRoomsRequest, Room, RoomCreated, RoomDeleted, RoomUpdated,
        room::{OnReserved, State as RoomState},
        room_service_server::RoomService,
    },
    types::v1::{CancellationPolicy, cancellation_policy::Tier},
};
use jiff::ToSpan;
use mesh::Reason;

use super::{Booking, GUEST, HOST, Inn, RIVAL, a_room, call, faults, reason, refusal, won};
use crate::reasons;

fn tiers(tiers: &[(i32, i32)]) -> Option<CancellationPolicy> {
    let tier = |(hours_before_start, percent): &(i32, i32)| Tier {
        hours_before_start: *hours_before_start,
        refund_percent: Some(*percent),
    };
    Some(CancellationPolicy { tiers: tiers.iter().map(tier).collect() })
}

fn place(latitude: f64, longitude: f64) -> Option<LatLng> {
    Some(LatLng { latitude, longitude })
}

fn rate(currency: &str) -> Option<Money> {
    Some(Money { currency_code: currency.to_owned(), units: 100, nanos: 0 })
}

fn words(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("word_{at}")).collect()
}

fn full_room() -> Room {
    Room {
        number: "204".to_owned(),
        description: "Two beds,\nand the sea.".to_owned(),
        units: Some(3),
        capacity: Some(4),
        size_square_meters: Some(33),
        amenities: vec!["wifi".to_owned(), "sea_view".to_owned()],
        nightly_rate: Some(Money { currency_code: "USD".to_owned(), units: 120, nanos: 500_000_000 }),
        place: "Jeju".to_owned(),
        location: place(33.4996, 126.5312),
        time_zone: "America/New_York".to_owned(),
        check_in_time: "16:30".to_owned(),
        check_out_time: "10:00".to_owned(),
        cancellation_policy: tiers(&[(0, 0), (24, 50), (72, 100)]),
        rating: Some(4.5),
        ..a_room("Sea room")
    }
}

#[tokio::test]
async fn a_name_and_a_rate_make_a_room_that_shows_its_defaults() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await;
    let expected = Room {
        name: room.name.clone(),
        host: HOST.to_owned(),
        units: Some(1),
        capacity: Some(2),
        time_zone: "Asia/Seoul".to_owned(),
        check_in_time: "15:00".to_owned(),
        check_out_time: "11:00".to_owned(),
        cancellation_policy: tiers(&[(0, 100)]),
        state: RoomState::Active.into(),
        etag: room.etag.clone(),
        create_time: Some(mesh::clock::to_proto(inn.clock.now())),
        update_time: Some(mesh::clock::to_proto(inn.clock.now())),
        version: 1,
        ..a_room("Blue room")
    };
    assert_eq!(room, expected);
    assert_eq!(inn.get(&room.name).await, expected);
}

#[tokio::test]
async fn a_room_is_what_its_host_said() {
    let inn = Inn::open().await;
    let room = inn.create(full_room()).await;
    let said = Room {
        name: room.name.clone(),
        host: room.host.clone(),
        state: room.state,
        etag: room.etag.clone(),
        create_time: room.create_time,
        update_time: room.update_time,
        version: 1,
        ..full_room()
    };
    assert_eq!(room, said);
    assert_eq!(inn.get(&room.name).await, said);
}

#[tokio::test]
async fn every_bound_of_a_room_holds_at_its_edge() {
    let inn = Inn::open().await;
    type Say = fn(&mut Room);
    let cases: [(&str, Say, Say); 30] = [
        ("room.display_name", |r| r.display_name = "방".repeat(80), |r| r.display_name = "방".repeat(81)),
        ("room.display_name", |r| r.display_name = "x".to_owned(), |r| r.display_name = " ".to_owned()),
        ("room.number", |r| r.number = "1".repeat(16), |r| r.number = "1".repeat(17)),
        ("room.number", |r| r.number = "A 1".to_owned(), |r| r.number = "1 ".to_owned()),
        ("room.number", |r| r.number = "1\u{ad}2".to_owned(), |r| r.number = "\u{200b}".to_owned()),
        (
            "room.display_name",
            |r| r.display_name = "Sea view 🏝️".to_owned(),
            |r| r.display_name = "\u{3164}".to_owned(),
        ),
        (
            "room.display_name",
            |r| r.display_name = "חדר".to_owned(),
            |r| r.display_name = "Sea view\u{202e} gnp".to_owned(),
        ),
        ("room.display_name", |r| r.display_name = "a b".to_owned(), |r| r.display_name = "a\nb".to_owned()),
        ("room.description", |r| r.description = "a\nb".to_owned(), |r| r.description = "a\u{202e}b".to_owned()),
        ("room.place", |r| r.place = "제주".to_owned(), |r| r.place = "a\u{2028}b".to_owned()),
        ("room.nightly_rate", |r| r.nightly_rate = rate("XAF"), |r| r.nightly_rate = rate("XXX")),
        ("room.nightly_rate", |r| r.nightly_rate = rate("XCG"), |r| r.nightly_rate = rate("HRK")),
        ("room.nightly_rate", |r| r.nightly_rate = rate("CHF"), |r| r.nightly_rate = rate("CHE")),
        ("room.time_zone", |r| r.time_zone = "Etc/GMT-9".to_owned(), |r| r.time_zone = "localtime".to_owned()),
        ("room.time_zone", |r| r.time_zone = "UTC".to_owned(), |r| r.time_zone = "Factory".to_owned()),
        ("room.description", |r| r.description = "x".repeat(2000), |r| r.description = "x".repeat(2001)),
        ("room.units", |r| r.units = Some(10_000), |r| r.units = Some(10_001)),
        ("room.units", |r| r.units = Some(1), |r| r.units = Some(0)),
        ("room.capacity", |r| r.capacity = Some(20), |r| r.capacity = Some(21)),
        ("room.size_square_meters", |r| r.size_square_meters = Some(1), |r| r.size_square_meters = Some(0)),
        ("room.amenities", |r| r.amenities = words(50), |r| r.amenities = words(51)),
        (
            "room.amenities[1]",
            |r| r.amenities = vec!["a".repeat(32)],
            |r| {
                r.amenities = vec!["ok".to_owned(), "Sea view".to_owned()];
            },
        ),
        ("room.nightly_rate", |r| r.nightly_rate = Some(won(1)), |r| r.nightly_rate = Some(won(0))),
        (
            "room.nightly_rate",
            |r| r.nightly_rate = Some(won(1_000_000_000_000)),
            |r| {
                r.nightly_rate = Some(won(1_000_000_000_001));
            },
        ),
        ("room.place", |r| r.place = "섬".repeat(120), |r| r.place = "섬".repeat(121)),
        ("room.location.latitude", |r| r.location = place(-90.0, 180.0), |r| r.location = place(f64::NAN, 0.0)),
        ("room.time_zone", |r| r.time_zone = "Europe/Berlin".to_owned(), |r| r.time_zone = "Mars/Base".to_owned()),
        ("room.check_in_time", |r| r.check_in_time = "23:59".to_owned(), |r| r.check_in_time = "24:00".to_owned()),
        (
            "room.cancellation_policy.tiers",
            |r| {
                r.cancellation_policy = tiers(&[(0, 0), (1, 1), (2, 2), (3, 3), (8760, 100)]);
            },
            |r| r.cancellation_policy = tiers(&[]),
        ),
        ("room.rating", |r| r.rating = Some(5.0), |r| r.rating = Some(5.1)),
    ];
    for (path, good, bad) in cases {
        let mut room = a_room("A room");
        good(&mut room);
        inn.create(room).await;
        let mut room = a_room("A room");
        bad(&mut room);
        assert_eq!(faults(inn.try_create(HOST, room).await), [path]);
    }
}

#[tokio::test]
async fn all_faults_of_a_room_are_told_at_once() {
    let inn = Inn::open().await;
    let room = Room {
        number: "1".repeat(17),
        check_out_time: "7:00".to_owned(),
        cancellation_policy: tiers(&[(24, 50), (24, 101), (-1, 0)]),
        ..Room::default()
    };
    assert_eq!(
        faults(inn.try_create(HOST, room.clone()).await),
        [
            "room.number",
            "room.display_name",
            "room.nightly_rate",
            "room.check_out_time",
            "room.cancellation_policy.tiers[1].refund_percent",
            "room.cancellation_policy.tiers[1]",
            "room.cancellation_policy.tiers[2].hours_before_start",
        ]
    );
    assert_eq!(
        faults(inn.update(HOST, Room { name: "204".to_owned(), ..room }, &["number", "nope", "etag"]).await),
        ["room.name", "update_mask", "update_mask", "room.number",]
    );
}

#[tokio::test]
async fn an_update_changes_what_the_mask_names_and_nothing_else() {
    let inn = Inn::open().await;
    let room = inn.create(full_room()).await;
    let wish = Room {
        name: room.name.clone(),
        display_name: "Garden room".to_owned(),
        place: "Busan".to_owned(),
        units: Some(7),
        ..Room::default()
    };
    let changed = inn.update(HOST, wish.clone(), &["place", "units"]).await.expect("updated");
    assert_eq!((changed.display_name.as_str(), changed.place.as_str(), changed.units), ("Sea room", "Busan", Some(7)));
    let changed = inn.update(HOST, wish, &[]).await.expect("updated");
    assert_eq!((changed.display_name.as_str(), changed.amenities.len(), changed.version), ("Garden room", 2, 3));
    assert_eq!(inn.get(&room.name).await, changed);
}

#[tokio::test]
async fn a_field_that_is_named_and_not_set_goes_back_to_its_default() {
    let inn = Inn::open().await;
    let room = inn.create(full_room()).await;
    let bare = Room { name: room.name.clone(), ..Room::default() };
    let changed = inn.update(HOST, bare.clone(), &["units", "location", "check_in_time", "rating"]).await;
    let changed = changed.expect("updated");
    assert_eq!((changed.units, changed.location, changed.rating), (Some(1), None, None));
    assert_eq!(changed.check_in_time, "15:00");
    assert_eq!(faults(inn.update(HOST, bare.clone(), &["nightly_rate"]).await), ["room.nightly_rate"]);
    assert_eq!(faults(inn.update(HOST, bare, &["*"]).await), ["room.display_name", "room.nightly_rate"]);

    let all = Room { name: room.name, nightly_rate: room.nightly_rate, ..a_room("Plain room") };
    let plain = inn.update(HOST, all, &["*"]).await.expect("updated");
    assert_eq!((plain.number.as_str(), plain.amenities.len(), plain.capacity), ("", 0, Some(2)));
    assert_eq!(plain.time_zone, "America/New_York", "a time zone stays");
}

#[tokio::test]
async fn an_update_that_changes_nothing_makes_no_version_and_no_event() {
    let inn = Inn::open().await;
    let room = inn.create(full_room()).await;
    assert_eq!(inn.update(HOST, room.clone(), &[]).await.expect("as it was"), room);
    assert_eq!(inn.update(HOST, room.clone(), &["*"]).await.expect("as it was"), room);
    assert_eq!(inn.told().await.len(), 1);
}

#[tokio::test]
async fn currency_and_time_zone_are_for_good() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await;
    let dollars = Some(Money { currency_code: "USD".to_owned(), units: 80, nanos: 0 });
    let wish = Room { name: room.name.clone(), nightly_rate: dollars, ..Room::default() };
    assert_eq!(reason(inn.update(HOST, wish, &[]).await), Reason::CURRENCY_MISMATCH);
    let wish = Room { name: room.name.clone(), time_zone: "Asia/Tokyo".to_owned(), ..Room::default() };
    assert_eq!(faults(inn.update(HOST, wish, &["time_zone"]).await), ["room.time_zone"]);
    assert_eq!(inn.get(&room.name).await, room);
}

#[tokio::test]
async fn an_etag_that_somebody_else_has_outdated_stops_a_change() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await;
    let wish = |etag: &str, place: &str| Room {
        name: room.name.clone(),
        etag: etag.to_owned(),
        place: place.to_owned(),
        ..Room::default()
    };
    let changed = inn.update(HOST, wish(&room.etag, "Jeju"), &[]).await.expect("updated");
    assert_ne!(changed.etag, room.etag);
    let refused = refusal(inn.update(HOST, wish(&room.etag, "Busan"), &[]).await);
    assert_eq!((refused.reason, refused.metadata.get("etag")), (reasons::ETAG_MISMATCH, Some(&changed.etag)));

    let delete = |etag: &str| {
        let message = contracts::room::v1::DeleteRoomRequest {
            name: room.name.clone(),
            etag: etag.to_owned(),
            ..Default::default()
        };
        inn.grpc.delete_room(call(HOST, message))
    };
    assert_eq!(reason(delete(&room.etag).await), reasons::ETAG_MISMATCH);
    delete(&changed.etag).await.expect("deleted");
}

#[tokio::test]
async fn a_number_is_one_active_room_of_its_host() {
    let inn = Inn::open().await;
    let numbered = |number: &str| Room { number: number.to_owned(), ..a_room("Blue room") };
    let first = inn.create(numbered("204")).await;
    assert_eq!(reason(inn.try_create(HOST, numbered("204")).await), reasons::ROOM_NUMBER_TAKEN);
    inn.try_create(RIVAL, numbered("204")).await.expect("another host's door");
    inn.create(numbered("")).await;
    let other = inn.create(numbered("")).await;

    let wish = Room { name: other.name.clone(), number: "204".to_owned(), ..Room::default() };
    assert_eq!(reason(inn.update(HOST, wish.clone(), &[]).await), reasons::ROOM_NUMBER_TAKEN);
    inn.delete(HOST, &first.name, OnReserved::Keep).await.expect("deleted");
    assert_eq!(inn.get(&first.name).await.number, "204", "a deleted room still shows its number");
    inn.update(HOST, wish, &[]).await.expect("the number is free");
}

#[tokio::test]
async fn of_many_who_want_one_number_at_once_one_gets_it() {
    let inn = Inn::open().await;
    let room = Room { number: "204".to_owned(), ..a_room("Blue room") };
    let (mut made, mut refused) = (0, 0);
    let (a, b, c, d) = tokio::join!(
        inn.try_create(HOST, room.clone()),
        inn.try_create(HOST, room.clone()),
        inn.try_create(HOST, room.clone()),
        inn.try_create(HOST, room.clone()),
    );
    for outcome in [a, b, c, d] {
        match outcome {
            Ok(_) => made += 1,
            Err(status) => {
                assert_eq!(reason::<()>(Err(status)), reasons::ROOM_NUMBER_TAKEN);
                refused += 1;
            }
        }
    }
    assert_eq!((made, refused, inn.told().await.len()), (1, 3, 1));
}

#[tokio::test]
async fn a_deleted_room_can_be_read_and_nothing_else() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await;
    let deleted = inn.delete(HOST, &room.name, OnReserved::Keep).await.expect("deleted");
    assert_eq!((deleted.state(), deleted.version), (RoomState::Deleted, 2));
    assert!(deleted.delete_time.is_some());
    assert_eq!(inn.get(&room.name).await, deleted);
    let again = inn.delete(HOST, &room.name, OnReserved::Cancel).await.expect("deleted before");
    assert_eq!(again, deleted);
    let wish = Room { name: room.name.clone(), place: "Jeju".to_owned(), ..Room::default() };
    assert_eq!(reason(inn.update(HOST, wish, &[]).await), reasons::ROOM_DELETED);
    let block = contracts::room::v1::BlockNightsRequest {
        name: room.name,
        start_date: "2027-05-01".to_owned(),
        end_date: "2027-05-02".to_owned(),
        ..Default::default()
    };
    assert_eq!(reason(inn.block(block).await), reasons::ROOM_DELETED);
    assert_eq!(inn.told().await.len(), 2);
}

#[tokio::test]
async fn a_room_with_stays_is_not_deleted_under_refuse() {
    let inn = Inn::open().await;
    let room = inn.create(a_room("Blue room")).await.name;
    let held = Booking::new(&room, "2027-05-10", "2027-05-12", 1);
    let sold = Booking::new(&room, "2027-04-29", "2027-05-01", 1);
    let gone = Booking::new(&room, "2027-05-20", "2027-05-22", 1);
    inn.hear(&[held.event(State::Pending, 1), sold.event(State::Confirmed, 2), gone.event(State::Cancelled, 4)]).await;

    let refused = refusal(inn.delete(HOST, &room, OnReserved::Refuse).await);
    assert_eq!((refused.reason, refused.metadata.get("count")), (reasons::ROOM_RESERVED, Some(&"2".to_owned())));
    assert_eq!(refused.metadata["cases"], format!("{},{}", sold.name, held.name), "the first to begin comes first");

    // Today at eleven the second guest has left.
    inn.clock.advance(jiff::SignedDuration::from_hours(2));
    let refused = refusal(inn.delete(HOST, &room, OnReserved::Refuse).await);
    assert_eq!(refused.metadata.get("count"), Some(&"1".to_owned()));
    inn.hear(&[held.event(State::Expired, 2)]).await;
    inn.delete(HOST, &room, OnReserved::Refuse).await.expect("nobody is left");
}

#[tokio::test]
async fn of_many_open_stays_a_refusal_counts_all_and_names_the_first_twenty() {
    let inn = Inn::open().await;
    let (room, other) = (inn.create(a_room("Blue room")).await.name, inn.create(a_room("Red room")).await.name);
    let night = |day: i8| jiff::civil::date(2027, 5, 1).saturating_add(jiff::Span::new().days(day)).to_string();
    let stay = |room: &str, day| Booking::new(room, &night(day), &night(day + 1), 1);
    // The last to be sold are the first to begin.
    let stays: Vec<_> = (0..30).rev().map(|day| stay(&room, day)).collect();
    let events: Vec<_> = stays.iter().map(|stay| stay.event(State::Confirmed, 2)).collect();
    inn.hear(&events).await;
    inn.hear(&[stay(&other, 0).event(State::Confirmed, 2)]).await;

    let refused = refusal(inn.delete(HOST, &room, OnReserved::Refuse).await);
    assert_eq!(refused.metadata["count"], "30");
    let named: Vec<_> = refused.metadata["cases"].split(',').collect();
    let first: Vec<_> = stays.iter().rev().take(20).map(|stay| stay.name.as_str()).collect();
    assert_eq!(named, first);
}

#[tokio::test]
async fn each_change_is_told_once_with_the_room_as_it_then_is() {
    let inn = Inn::open().await;
    let created = inn.create(a_room("Blue room")).await;
    let wish = Room { name: created.name.clone(), place: "Jeju".to_owned(), ..Room::default() };
    let updated = inn.update(HOST, wish, &[]).await.expect("updated");
    let deleted = inn.delete(HOST, &created.name, OnReserved::Cancel).await.expect("deleted");

    let told = inn.told().await;
    for (at, event) in told.iter().enumerate() {
        assert_eq!((event.subject.as_str(), event.sequence), (created.name.as_str(), at as u64 + 1));
        assert_eq!((event.source.as_str(), event.actor.as_str()), ("room", HOST));
        assert_eq!(event.correlation_id, "a-case");
    }
    let routes: Vec<_> = told.iter().map(|event| event.route.as_str()).collect();
    assert_eq!(routes, ["jumak.room.v1.room.created", "jumak.room.v1.room.updated", "jumak.room.v1.room.deleted"]);
    let [first, second, third] = &told[..] else { panic!("three events") };
    assert_eq!(first.decode(), Some(Ok(RoomCreated { room: Some(created) })));
    assert_eq!(second.decode(), Some(Ok(RoomUpdated { room: Some(updated) })));
    let on_reserved = OnReserved::Cancel.into();
    assert_eq!(third.decode(), Some(Ok(RoomDeleted { room: Some(deleted), on_reserved })));
}

#[tokio::test]
async fn a_list_shows_each_room_once_the_newest_first() {
    let inn = Inn::open().await;
    let mut names = Vec::new();
    for at in 0..7 {
        names.push(inn.create(a_room(&format!("Room {at}"))).await.name);
        inn.try_create(RIVAL, a_room("Not ours")).await.expect("created");
    }
    inn.delete(HOST, &names.remove(3), OnReserved::Keep).await.expect("deleted");
    names.reverse();

    let mut seen = Vec::new();
    let mut page = ListRoomsRequest { host: "users/me".to_owned(), page_size: 4, ..ListRoomsRequest::default() };
    for more in [true, false] {
        let listed = inn.grpc.list_rooms(call(HOST, page.clone())).await.expect("a page").into_inner();
        seen.extend(listed.rooms.into_iter().map(|room| room.name));
        assert_eq!(!listed.next_page_token.is_empty(), more, "six rooms, four to a page");
        if more {
            page.page_token = listed.next_page_token;
        }
    }
    assert_eq!(seen, names);
    assert_eq!(reason(inn.grpc.list_rooms(call(RIVAL, page.clone())).await), Reason::PAGE_TOKEN_INVALID);

    let everything = ListRoomsRequest { show_deleted: true, ..ListRoomsRequest::default() };
    let listed = inn.grpc.list_rooms(call(GUEST, everything)).await.expect("a page").into_inner();
    assert_eq!(listed.rooms.len(), 14);
}

#[tokio::test]
async fn where_the_room_is_decides_what_day_it_is() {
    let inn = Inn::open().await;
    // In New York it is still the evening of the day before.
    let room = inn.create(full_room()).await.name;
    let block = |start: jiff::civil::Date| contracts::room::v1::BlockNightsRequest {
        name: room.clone(),
        start_date: start.to_string(),
        end_date: start.saturating_add(1.day()).to_string(),
        ..Default::default()
    };
    assert_eq!(faults(inn.block(block(jiff::civil::date(2027, 4, 29))).await), ["start_date"]);
    inn.block(block(jiff::civil::date(2027, 4, 30))).await.expect("tonight");
}
