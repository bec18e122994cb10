use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::consumer::PullConsumer;
use mesh_testing::{event, events};

use super::support::{
    TIMING, assert_holds_exactly, assert_one_effect_each, chain, config, connect, eventually, has_settled, hears,
    is_settled, server, unpublished,
};
use crate::{
    bus::{
        Bus, ConsumerSpec, SharedBus,
        jetstream::{JetStreamBus, WAIT, layout},
    },
    consumer, relay,
    testbed::{Testbed, commit, wiring},
};

/// What else a call needs beside the wait for the broker.
const SLACK: Duration = Duration::from_secs(2);

fn spec(name: &str) -> ConsumerSpec {
    ConsumerSpec { name: name.to_owned(), filters: vec!["jumak.>".to_owned()], ack_wait: Duration::from_secs(60) }
}

/// Whether a fetch of the consumer waits at the server.
async fn is_waiting(bus: &JetStreamBus, consumer: &str) -> bool {
    let consumer: PullConsumer = bus.0.context().get_consumer_from_stream(consumer, layout::STREAM).await.unwrap();
    consumer.cached_info().num_waiting == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_costs_time_and_nothing_else() {
    let mut nats = server().await;
    let bus: SharedBus = Arc::new(connect(&nats, "tester").await);
    let testbed = Testbed::new();
    let (room, stay) = (testbed.database("room.db").await, testbed.database("stay.db").await);
    let wiring = wiring(&bus);
    relay::start("room", room.clone(), &wiring);
    consumer::start_at(TIMING, "stay", stay.clone(), hears(|_| false), &wiring).await.unwrap();

    let sent = events("room", 600);
    let committing = tokio::spawn({
        let (room, sent) = (room.clone(), sent.clone());
        async move {
            for chunk in sent.chunks(5) {
                commit(&room, chunk).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        nats.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        nats.start_again().await.unwrap();
    }
    committing.await.unwrap();
    eventually("everything is published", async || unpublished(&room).await == 0).await;
    eventually("everything is handled", async || has_settled(&*bus, "stay", &stay, sent.len()).await).await;
    assert_one_effect_each(&stay, &sent).await;
    wiring.background.drain(SLACK).await;
    assert_holds_exactly(&connect(&nats, "tester").await, &sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_that_waits_is_told_at_once_when_the_connection_is_lost() {
    const FETCH: Duration = Duration::from_secs(30);
    let mut nats = server().await;
    let bus = connect(&nats, "tester").await;
    let mut member = bus.subscribe(spec("stay")).await.unwrap();
    let fetching = tokio::spawn(async move { (member.fetch(10, FETCH).await.is_err(), member) });
    eventually("it waits", async || is_waiting(&bus, "stay").await).await;
    nats.kill();
    let killed = Instant::now();
    let (failed, mut member) = fetching.await.unwrap();
    assert!(failed);
    assert!(killed.elapsed() < SLACK, "it was told after {:?}", killed.elapsed());

    nats.start_again().await.unwrap();
    let sent = event("room", 1);
    eventually("it is published", async || bus.publish(std::slice::from_ref(&sent)).await.is_ok()).await;
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = member.fetch(10, SLACK).await.unwrap_or_default();
    }
    assert_eq!(heard[0].data, sent.data, "and goes on when it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_waited_for_no_longer_than_promised() {
    let nats = server().await;
    let bus = connect(&nats, "tester").await;
    let mut member = bus.subscribe(spec("hearer")).await.unwrap();
    let sent = events("room", 3);
    let positions = bus.publish(&sent).await.unwrap();
    let heard = member.fetch(1, Duration::from_secs(1)).await.unwrap();
    nats.pause().unwrap();

    let begun = Instant::now();
    let late = event("room", 4);
    let (publishing, held, joining, pending, fetching) = tokio::join!(
        bus.publish(std::slice::from_ref(&late)),
        bus.holds(positions[0], sent[0].key()),
        bus.subscribe(spec("other")),
        bus.pending("hearer"),
        member.fetch(10, Duration::from_millis(100)),
    );
    let errors = [publishing.err(), held.err(), joining.err(), pending.err(), fetching.err()];
    for (at, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("call {at} was answered by a server that hangs"));
        assert!(begun.elapsed() < 2 * WAIT + SLACK, "{} after {:?}", chain(&error), begun.elapsed());
    }
    let begun = Instant::now();
    assert!(member.nak(heard[0].handle, Duration::ZERO).await.is_err(), "it is answered, and this was not");
    assert!(begun.elapsed() < WAIT + SLACK, "a nak took {:?}", begun.elapsed());
    // Nobody answers an ack. What the server has not heard of it is delivered again.
    let begun = Instant::now();
    member.ack(&[heard[0].handle]).await.ok();
    assert!(begun.elapsed() < SLACK, "an ack took {:?}", begun.elapsed());

    nats.resume().unwrap();
    eventually("it goes on", async || bus.publish(std::slice::from_ref(&late)).await.is_ok()).await;
    let stored = [sent, vec![late]].concat();
    assert_holds_exactly(&bus, &stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_noticed_before_a_fetch_would_have_ended() {
    let nats = server().await;
    let bus = connect(&nats, "tester").await;
    let mut member = bus.subscribe(spec("stay")).await.unwrap();
    let fetching = tokio::spawn(async move { member.fetch(10, consumer::FETCH_WAIT).await.err() });
    eventually("it waits", async || is_waiting(&bus, "stay").await).await;
    nats.pause().unwrap();
    let begun = Instant::now();
    let error = fetching.await.unwrap().expect("a server that hangs says nothing");
    assert!(begun.elapsed() < consumer::FETCH_WAIT, "{} after {:?}", chain(&error), begun.elapsed());
    nats.resume().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_calls_fail_at_once_and_with_one_they_work() {
    let mut nats = server().await;
    let config = config(&nats);
    nats.kill();
    let bus = JetStreamBus::connect(&config, "tester").await.unwrap();
    let event = event("room", 1);
    let begun = Instant::now();
    let error = bus.publish(std::slice::from_ref(&event)).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
    assert_eq!(chain(&error), "the bus failed: make the streams: there is no connection to the broker");
    nats.start_again().await.unwrap();
    eventually("the event is published", async || bus.publish(std::slice::from_ref(&event)).await.is_ok()).await;
    assert_holds_exactly(&bus, &[event]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_in_the_middle_of_a_batch_leaves_the_rest_of_it() {
    let nats = server().await;
    let (bus, other) = (connect(&nats, "tester").await, connect(&nats, "tester").await);
    let spec =
        ConsumerSpec { name: "team".to_owned(), filters: vec!["jumak.>".to_owned()], ack_wait: Duration::from_secs(1) };
    let sent = events("room", 10);
    bus.publish(&sent).await.unwrap();
    let mut dies = bus.subscribe(spec.clone()).await.unwrap();
    let taken = dies.fetch(10, SLACK).await.unwrap();
    assert_eq!(taken.len(), 10);
    dies.ack(&[taken[0].handle, taken[1].handle, taken[2].handle]).await.unwrap();
    // With its connection, as if its process had died.
    drop((dies, bus));

    let mut lives = other.subscribe(spec).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 7 {
        let batch = lives.fetch(10, Duration::from_secs(5)).await.unwrap();
        assert!(!batch.is_empty(), "only {} came", heard.len());
        lives.ack(&batch.iter().map(|delivery| delivery.handle).collect::<Vec<_>>()).await.unwrap();
        heard.extend(batch.into_iter().map(|delivery| delivery.data));
    }
    heard.sort();
    assert_eq!(heard, sent[3..].iter().map(|event| event.data.clone()).collect::<Vec<_>>());
    eventually("nothing is left", async || is_settled(&other, "team").await).await;
}
