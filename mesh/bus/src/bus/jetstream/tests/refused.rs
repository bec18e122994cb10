use async_nats::jetstream::stream::Config;
use mesh_foundation::event::Event;
use mesh_testing::events;

use super::support::{assert_holds_exactly, chain, connect, server};
use crate::bus::{
    Bus,
    jetstream::{JetStreamBus, layout},
};

/// That the bus names the one event of `sent` that is too large, and takes the others.
async fn assert_refuses(bus: &JetStreamBus, sent: &mut Vec<Event>, too_large: usize, why: &str) {
    let error = bus.publish(sent).await.unwrap_err();
    assert!(chain(&error).contains(why), "{}", chain(&error));
    assert_eq!(error.refused, [sent[too_large].id]);
    sent.remove(too_large);
    bus.publish(sent).await.unwrap();
    assert_holds_exactly(bus, sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_for_the_server_is_named() {
    // The second is small enough by itself, and not with its headers.
    for bytes in [2 << 20, (1 << 20) - 10] {
        let nats = server().await;
        let bus = connect(&nats, "room").await;
        let mut sent = events("room", 5);
        sent[2].data = vec![0; bytes];
        assert_refuses(&bus, &mut sent, 2, "Payload size limit of 1048576 exceeded").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_for_the_stream_is_named() {
    let nats = server().await;
    let bus = connect(&nats, "room").await;
    let context = bus.0.context();
    let config = context.get_stream(layout::STREAM).await.unwrap().cached_info().config.clone();
    context.update_stream(Config { max_message_size: 2_000, ..config }).await.unwrap();
    let mut sent = events("room", 5);
    sent[4].data = vec![0; 2_000];
    assert_refuses(&bus, &mut sent, 4, "message size exceeds maximum allowed").await;
}
