use async_nats::jetstream::stream::Config;
use serde_json::{Value, json};

use super::support::{chain, config, connect, eventually, server};
use crate::bus::jetstream::{JetStreamBus, layout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_there_is_not_changed() {
    let nats = server().await;
    let bus = connect(&nats, "room").await;
    let context = bus.0.context();
    context.delete_stream(layout::STREAM).await.unwrap();
    let by_hand = Config {
        name: layout::STREAM.to_owned(),
        subjects: vec!["jumak.>".to_owned()],
        max_messages: 1_000_000,
        ..Config::default()
    };
    let made = context.create_stream(by_hand).await.unwrap().cached_info().config.clone();
    let again = JetStreamBus::connect(&config(&nats), "payment").await.unwrap();
    eventually("the bus answers", async || again.ready().await.is_ok()).await;
    assert_eq!(context.get_stream(layout::STREAM).await.unwrap().cached_info().config, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_different_in_a_stream_is_named_and_nothing_that_the_broker_fills_in() {
    let nats = server().await;
    let bus = connect(&nats, "room").await;
    let context = bus.0.context();
    let wanted = layout::events(1);
    for made in [&wanted, &layout::dead_letters(1)] {
        assert!(layout::differences(context, made).await.unwrap().is_empty(), "{made:?}");
    }

    context.delete_stream(layout::STREAM).await.unwrap();
    let mut by_hand = serde_json::to_value(&wanted).unwrap();
    let different = [
        ("allow_msg_ttl", json!(true)),
        ("allow_rollup_hdrs", json!(true)),
        ("deny_delete", json!(false)),
        ("deny_purge", json!(false)),
        ("duplicate_window", json!(1_000_000_000)),
        ("max_msg_size", json!(1_000)),
        ("max_msgs", json!(1_000_000)),
        ("no_ack", json!(true)),
        ("republish", json!({ "src": ">", "dest": "elsewhere.>" })),
        ("sources", json!([{ "name": "ELSEWHERE" }])),
        ("subject_transform", json!({ "src": ">", "dest": "elsewhere.>" })),
    ];
    for (name, value) in &different {
        by_hand[name] = value.clone();
    }
    // Nobody minds.
    by_hand["description"] = "made by hand".into();
    let made: Value = context.request(format!("STREAM.CREATE.{}", layout::STREAM), &by_hand).await.unwrap();
    assert!(made["error"].is_null(), "{made}");
    assert_eq!(layout::differences(context, &wanted).await.unwrap(), different.map(|(name, _)| name));
}

/// With one of these the broker drops events in the middle, and neither relays nor consumers would notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_drops_events_in_the_middle_is_refused_by_name() {
    let nats = server().await;
    let bus = connect(&nats, "room").await;
    let context = bus.0.context();
    for (name, value) in
        [("retention", json!("interest")), ("retention", json!("workqueue")), ("max_msgs_per_subject", json!(1))]
    {
        context.delete_stream(layout::STREAM).await.unwrap();
        let mut by_hand = serde_json::to_value(layout::events(1)).unwrap();
        by_hand[name] = value;
        let made: Value = context.request(format!("STREAM.CREATE.{}", layout::STREAM), &by_hand).await.unwrap();
        assert!(made["error"].is_null(), "{made}");
        let again = JetStreamBus::connect(&config(&nats), "payment").await.unwrap();
        let told = format!("the stream {} has another `{name}`", layout::STREAM);
        eventually("the bus says why", async || again.ready().await.is_err_and(|error| chain(&error).contains(&told)))
            .await;
    }
}
