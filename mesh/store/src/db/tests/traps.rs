//! What engines do differently unless they are told: the servers of these tests stand at odd settings.

use jiff::Timestamp;
use mesh_foundation::clock::from_micros;
use mesh_testing::event;
use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

use super::*;
use crate::{
    store::entity::{inbox, outbox, request},
    testbed::{Migrator, commit},
};

async fn migrated() -> Bench {
    let bench = Bench::open().await;
    crate::store::migrate(&bench.database, &Migrator).await.unwrap();
    bench
}

fn request(id: &str) -> request::ActiveModel {
    request::ActiveModel {
        principal: Set("users/alice".to_owned()),
        method: Set("CreateReservation".to_owned()),
        request_id: Set(id.to_owned()),
        fingerprint: Set(vec![0; 32]),
        case_name: Set(None),
        attempt: Set(0),
        answer: Set(None),
        create_time: Set(0),
    }
}

#[tokio::test]
async fn request_ids_that_differ_in_a_byte_are_two() {
    let bench = migrated().await;
    // Case, trailing blanks, accents, composed and not, full and half width, and what needs four bytes.
    let ids = ["a", "A", "a ", "a  ", " a", "a\t", "á", "a\u{301}", "ａ", "ß", "ss", "ı", "i", "방", "🏠", "🏡", ""];
    for id in ids {
        let new = bench.database.transact("ask", |tx| async move { Ok(tx.insert_new(request(id)).await?) }).await;
        assert!(new.unwrap(), "{id:?} is taken for another");
    }
    for id in ids {
        let new = bench.database.transact("ask", |tx| async move { Ok(tx.insert_new(request(id)).await?) }).await;
        assert!(!new.unwrap(), "{id:?} is not found again");
        let key = ("users/alice".to_owned(), "CreateReservation".to_owned(), id.to_owned());
        let found = request::Entity::find_by_id(key).one(bench.database.read()).await.unwrap().unwrap();
        assert_eq!(found.request_id, id);
    }
}

#[tokio::test]
async fn instants_survive_to_the_microsecond_whatever_zone_the_server_is_in() {
    let bench = migrated().await;
    // The second is in the hour that Seoul's clocks showed twice; the last is beyond 2038.
    let instants = [
        "1969-12-31T23:59:59.999999Z",
        "1988-10-08T17:30:00.000001Z",
        "2027-04-01T00:00:00.123456Z",
        "2262-01-01T00:00:00.000007Z",
    ];
    for instant in instants {
        let (id, at): (Uuid, Timestamp) = (Uuid::now_v7(), instant.parse().unwrap());
        bench
            .database
            .transact("hear", |tx| async move { crate::inbox::is_new(&tx, "mypage", id, at).await })
            .await
            .unwrap();
        let row = inbox::Entity::find_by_id(("mypage".to_owned(), id)).one(bench.database.read()).await.unwrap();
        assert_eq!(from_micros(row.unwrap().handle_time), at);
    }
}

#[tokio::test]
async fn ids_of_any_sixteen_bytes_are_found_again() {
    let bench = migrated().await;
    let now = mesh_foundation::Clock::system().now();
    for id in [
        Uuid::nil(),
        Uuid::max(),
        Uuid::from_bytes(*b"' OR 1=1; --\\\0\x1a\""),
        Uuid::from_u128(0x20 << 120),
        Uuid::now_v7(),
    ] {
        let hear =
            || bench.database.transact("hear", |tx| async move { crate::inbox::is_new(&tx, "x", id, now).await });
        assert!(hear().await.unwrap(), "{id} is taken for another");
        assert!(!hear().await.unwrap(), "{id} is not found again");
        let row = inbox::Entity::find_by_id(("x".to_owned(), id)).one(bench.database.read()).await.unwrap();
        assert_eq!(row.unwrap().event_id, id);
    }
}

#[tokio::test]
async fn an_event_of_a_hundred_kilobytes_survives_byte_by_byte() {
    let bench = migrated().await;
    let mut large = event("room", 1);
    large.data = (0..100_000_u32).map(|byte| (byte % 251) as u8).collect();
    large.subject = "rooms/방 🏠 ".to_owned();
    commit(&bench.database, std::slice::from_ref(&large)).await;
    let row = outbox::Entity::find_by_id(large.id).one(bench.database.read()).await.unwrap().unwrap();
    assert_eq!((row.body, row.subject), (large.data, large.subject));
}
