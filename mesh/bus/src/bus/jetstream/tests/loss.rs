use std::sync::Arc;

use async_nats::jetstream::stream::Config;
use mesh_foundation::event::Event;
use mesh_store::db::Database;
use mesh_testing::{event, events};
use servers::Nats;

use super::support::{assert_holds_exactly, connect, eventually, server, unpublished};
use crate::{
    bus::{
        Bus, SharedBus,
        jetstream::{JetStreamBus, layout},
    },
    relay,
    testbed::{Testbed, commit, wiring},
    wiring::Wiring,
};

/// A context whose outbox goes to the server.
struct Room {
    bus: JetStreamBus,
    database: Database,
    wiring: Wiring,
    sent: Vec<Event>,
    _testbed: Testbed,
}

impl Room {
    async fn start(nats: &Nats) -> Self {
        let bus = connect(nats, "room").await;
        let shared: SharedBus = Arc::new(bus.clone());
        let (testbed, wiring) = (Testbed::new(), wiring(&shared));
        let database = testbed.database("room.db").await;
        relay::start("room", database.clone(), &wiring);
        Self { bus, database, wiring, sent: Vec::new(), _testbed: testbed }
    }

    /// Says `count` things more, and waits until all are published.
    async fn say(&mut self, count: u64) {
        let first = self.sent.len() as u64 + 1;
        let more: Vec<Event> = (first..first + count).map(|sequence| event("room", sequence)).collect();
        commit(&self.database, &more).await;
        self.sent.extend(more);
        eventually("everything is published", async || unpublished(&self.database).await == 0).await;
    }

    async fn stop(self) {
        assert_holds_exactly(&self.bus, &self.sent).await;
        self.wiring.background.drain(std::time::Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_deleted_is_made_and_filled_again() {
    let nats = server().await;
    let mut room = Room::start(&nats).await;
    room.say(500).await;
    room.bus.0.context().delete_stream(layout::STREAM).await.unwrap();
    room.say(1).await;
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_lost_everything_is_filled_again() {
    let mut nats = server().await;
    let mut room = Room::start(&nats).await;
    room.say(500).await;
    nats.wipe().unwrap();
    nats.start_again().await.unwrap();
    room.say(1).await;
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stream_that_was_put_back_as_it_was_before_exactly_the_tail_is_published_again() {
    let mut nats = server().await;
    let mut room = Room::start(&nats).await;
    room.say(300).await;
    let saved = nats.save().unwrap();
    nats.start_again().await.unwrap();
    room.say(200).await;
    nats.restore(&saved).unwrap();
    nats.start_again().await.unwrap();
    // Somebody else is faster: what was ours has other events in its place.
    let other = connect(&nats, "payment").await;
    let theirs = events("payment", 400);
    eventually("others have published", async || other.publish(&theirs).await.is_ok()).await;
    room.say(1).await;
    room.sent.extend(theirs);
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_can_be_purged_only_if_somebody_else_made_it_and_is_filled_again_then() {
    let nats = server().await;
    let mut room = Room::start(&nats).await;
    let context = room.bus.0.context().clone();
    let purge = async || context.get_stream(layout::STREAM).await.unwrap().purge().await;
    assert!(purge().await.is_err(), "ours cannot be purged");
    let delete = context.get_stream(layout::STREAM).await.unwrap().delete_message(1).await;
    assert!(delete.is_err(), "and nothing can be deleted from it");

    context.delete_stream(layout::STREAM).await.unwrap();
    let by_hand = Config { name: layout::STREAM.to_owned(), subjects: vec!["jumak.>".to_owned()], ..Config::default() };
    context.create_stream(by_hand).await.unwrap();
    room.say(500).await;
    purge().await.unwrap();
    room.say(1).await;
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_copies_were_purged_again_and_again_is_stored_once_more() {
    let nats = server().await;
    let bus = connect(&nats, "room").await;
    let context = bus.0.context();
    context.delete_stream(layout::STREAM).await.unwrap();
    let by_hand = Config { name: layout::STREAM.to_owned(), subjects: vec!["jumak.>".to_owned()], ..Config::default() };
    let stream = context.create_stream(by_hand).await.unwrap();
    let sent = event("room", 1);
    for _ in 0..3 {
        let positions = bus.publish(std::slice::from_ref(&sent)).await.unwrap();
        assert!(bus.holds(positions[0], sent.key()).await.unwrap(), "it is not at {positions:?}");
        stream.purge().await.unwrap();
    }
}
