//! A stream that an operator limits, and one that is emptied.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::stream::Config;
use mesh_foundation::event::Event;
use mesh_store::db::Database;
use mesh_testing::{event, events};
use serde_json::{Value, json};
use servers::Nats;

use super::support::{
    TIMING, assert_holds_exactly, assert_one_effect_each, connect, effects, eventually, hears, server, unpublished,
};
use crate::{
    bus::{
        Bus, SharedBus,
        jetstream::{JetStreamBus, layout},
    },
    consumer, relay,
    testbed::{Testbed, commit, wiring},
    wiring::Wiring,
};

/// How long its loops may take to stop.
const STOP: Duration = Duration::from_secs(2);

/// A context that publishes, and one that hears it, each of which can be stopped and started again.
struct Inn {
    bus: JetStreamBus,
    shared: SharedBus,
    room: Database,
    stay: Database,
    _testbed: Testbed,
}

impl Inn {
    async fn open(nats: &Nats) -> Self {
        let bus = connect(nats, "room").await;
        let testbed = Testbed::new();
        let (room, stay) = (testbed.database("room.db").await, testbed.database("stay.db").await);
        Self { shared: Arc::new(bus.clone()), bus, room, stay, _testbed: testbed }
    }

    /// A relay, which looks at the stream as it starts.
    fn publishes(&self) -> Wiring {
        let wiring = wiring(&self.shared);
        relay::start("room", self.room.clone(), &wiring);
        wiring
    }

    async fn hears(&self) -> Wiring {
        let wiring = wiring(&self.shared);
        consumer::start_at(TIMING, "stay", self.stay.clone(), hears(|_| false), &wiring).await.unwrap();
        wiring
    }

    async fn says(&self, events: &[Event]) {
        commit(&self.room, events).await;
        self.all_is_published().await;
    }

    async fn all_is_published(&self) {
        eventually("everything is published", async || unpublished(&self.room).await == 0).await;
    }

    async fn all_is_heard(&self, sent: &[Event]) {
        eventually("everything is heard", async || effects(&self.stay).await.len() >= sent.len()).await;
        assert_one_effect_each(&self.stay, sent).await;
    }

    /// What an operator does with `nats stream edit`.
    async fn limit(&self, limit: &str, to: i64) {
        let context = self.bus.0.context();
        let info: Value = context.request(format!("STREAM.INFO.{}", layout::STREAM), &()).await.unwrap();
        let mut config = info["config"].clone();
        config[limit] = json!(to);
        let edited: Value = context.request(format!("STREAM.UPDATE.{}", layout::STREAM), &config).await.unwrap();
        assert!(edited["error"].is_null(), "{edited}");
    }

    /// The first and the last position of the stream.
    async fn ends(&self) -> (u64, u64) {
        let stream = self.bus.0.context().get_stream(layout::STREAM).await.unwrap();
        let state = &stream.cached_info().state;
        (state.first_sequence, state.last_sequence)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_limited_stream_dropped_before_a_consumer_heard_it_is_heard_and_not_repeated_for_ever() {
    let (nats, sent) = (server().await, events("room", 20));
    let inn = Inn::open(&nats).await;
    let publishing = inn.publishes();
    inn.says(&sent).await;
    publishing.background.drain(STOP).await;
    inn.limit("max_msgs", 5).await;
    assert_eq!(inn.ends().await, (16, 20), "nobody has heard what was before");

    let (hearing, publishing) = (inn.hears().await, inn.publishes());
    inn.all_is_heard(&sent).await;
    inn.all_is_published().await;
    assert_eq!(inn.ends().await, (31, 35), "each of the fifteen is published once more");
    publishing.background.drain(STOP).await;

    // A relay that starts finds that the stream still does not hold everything, and leaves it at that.
    let (publishing, one_more) = (inn.publishes(), [event("room", 21)]);
    inn.says(&one_more).await;
    assert_eq!(inn.ends().await, (32, 36));
    publishing.background.drain(STOP).await;

    // Without the limits it holds everything again.
    inn.limit("max_msgs", -1).await;
    let publishing = inn.publishes();
    let all = [&sent[..], &one_more].concat();
    eventually("all are there", async || inn.ends().await.1 - inn.ends().await.0 == all.len() as u64 - 1).await;
    inn.all_is_published().await;
    assert_holds_exactly(&inn.bus, &all).await;
    inn.all_is_heard(&all).await;
    publishing.background.drain(STOP).await;
    hearing.background.drain(STOP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_drive_our_newest_event_out_of_a_limited_stream_and_nothing_is_published_for_ever() {
    let (nats, sent) = (server().await, events("room", 3));
    let inn = Inn::open(&nats).await;
    let publishing = inn.publishes();
    inn.says(&sent).await;
    inn.limit("max_msgs", 5).await;
    inn.bus.publish(&events("payment", 10)).await.unwrap();
    assert_eq!(inn.ends().await, (9, 13), "nothing of ours is left");
    // It goes on: what was dropped is no sign of another stream.
    let more = [event("room", 4)];
    inn.says(&more).await;
    publishing.background.drain(STOP).await;

    let publishing = inn.publishes();
    eventually("the three are published once more", async || inn.ends().await.1 == 17).await;
    inn.all_is_published().await;
    inn.bus.publish(&events("payment", 10)).await.unwrap();
    publishing.background.drain(STOP).await;
    let publishing = inn.publishes();
    inn.says(&[event("room", 5)]).await;
    assert_eq!(inn.ends().await.1, 28, "and not again");
    publishing.background.drain(STOP).await;
}

/// How far a limited stream was filled again is about that stream: in another one the same positions are other events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_limited_stream_drops_is_heard_however_far_the_lost_one_was_filled_again() {
    let (nats, sent) = (server().await, events("room", 20));
    let inn = Inn::open(&nats).await;
    let publishing = inn.publishes();
    inn.says(&sent[..3]).await;
    publishing.background.drain(STOP).await;
    inn.limit("max_msgs", 2).await;
    let publishing = inn.publishes();
    eventually("the first is published once more", async || inn.ends().await == (3, 4)).await;
    inn.all_is_published().await;
    publishing.background.drain(STOP).await;

    let context = inn.bus.0.context();
    context.delete_stream(layout::STREAM).await.unwrap();
    context.create_stream(Config { max_messages: 5, ..layout::events(1) }).await.unwrap();
    let publishing = inn.publishes();
    inn.says(&sent[3..]).await;
    assert_eq!(inn.ends().await, (16, 20));
    publishing.background.drain(STOP).await;

    let (hearing, publishing) = (inn.hears().await, inn.publishes());
    inn.all_is_heard(&sent).await;
    publishing.background.drain(STOP).await;
    hearing.background.drain(STOP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_place_was_dropped_keeps_it_and_hears_nothing_twice() {
    let (nats, sent) = (server().await, events("room", 10));
    let inn = Inn::open(&nats).await;
    let (publishing, hearing) = (inn.publishes(), inn.hears().await);
    inn.says(&sent).await;
    inn.all_is_heard(&sent).await;
    hearing.background.drain(STOP).await;
    publishing.background.drain(STOP).await;
    inn.limit("max_msgs", 2).await;
    inn.bus.publish(&events("payment", 2)).await.unwrap();

    // Forgotten by the bus and made anew, it would begin to count its deliveries again.
    let hearing = inn.hears().await;
    inn.bus.publish(&[event("room", 11)]).await.unwrap();
    eventually("what comes next is heard", async || effects(&inn.stay).await.len() == 11).await;
    assert_eq!(deliveries(&inn).await, 11, "the bus has made the consumer anew");
    hearing.background.drain(STOP).await;
}

/// How many deliveries the bus has counted for the consumer.
async fn deliveries(inn: &Inn) -> u64 {
    let stream = inn.bus.0.context().get_stream(layout::STREAM).await.unwrap();
    stream.consumer_info("stay").await.unwrap().delivered.consumer_sequence
}
