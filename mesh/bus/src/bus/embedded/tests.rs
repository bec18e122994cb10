use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mesh_store::Database;
use mesh_testing::events;
use sea_orm::{ConnectionTrait, EntityTrait};
use tempfile::TempDir;

use super::{EmbeddedBus, entity::consumer};
use crate::{
    bus::{
        Bus, ConsumerSpec, SharedBus,
        conformance::{self, Harness},
    },
    testbed::Testbed,
};

struct File(TempDir);

#[async_trait]
impl Harness for File {
    async fn open(&self) -> SharedBus {
        Arc::new(EmbeddedBus::open(&self.0.path().join("bus.db")).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_bus_does_what_every_bus_has_to_do() {
    conformance::run(|| File(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
#[should_panic(expected = "publish was awaited inside the transaction")]
async fn publishing_inside_a_transaction_is_a_mistake_that_shows() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let _never = database.transact("hold", |_tx| async { Ok(bus.publish(&events("room", 1)).await.is_ok()) }).await;
}

#[tokio::test]
async fn the_file_of_another_version_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    drop(EmbeddedBus::open(&path).await.unwrap());
    EmbeddedBus::open_beside(&path).await.unwrap();
    let database = Database::open_file(&path, 1).await.unwrap();
    for sql in ["UPDATE data_version SET format = 99, jumak = '9.9.9'", "DROP TABLE data_version"] {
        database.for_migrations().execute_unprepared(sql).await.unwrap();
        for opened in [EmbeddedBus::open(&path).await, EmbeddedBus::open_beside(&path).await] {
            let source = opened.unwrap_err().source.downcast::<mesh_foundation::Error>().unwrap();
            assert!(matches!(*source, mesh_foundation::Error::Incompatible(_)), "{source}");
        }
    }
}

#[tokio::test]
async fn what_is_for_others_is_not_looked_at_again_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let bus = EmbeddedBus::open(&folder.path().join("bus.db")).await.unwrap();
    let filters = vec!["jumak.nobody.>".to_owned()];
    let spec = ConsumerSpec { name: "hearer".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let mut member = bus.subscribe(spec).await.unwrap();
    let place = async || {
        let row = consumer::Entity::find_by_id("hearer").one(bus.database.read()).await.unwrap();
        row.unwrap().next_seq
    };
    for (count, expected) in [(4_000, 1), (2_000, 6_001), (3_000, 6_001)] {
        bus.publish(&events("room", count)).await.unwrap();
        assert!(member.fetch(10, Duration::ZERO).await.unwrap().is_empty());
        assert_eq!(place().await, expected);
    }
    bus.publish(&events("nobody", 1)).await.unwrap();
    assert_eq!(member.fetch(10, Duration::ZERO).await.unwrap().len(), 1);
    assert_eq!(place().await, 9_002);
}
