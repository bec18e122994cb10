//! NATS looks at what a user publishes on, and not at where the user lets the broker answer or deliver. What comes of that.

use std::time::Duration;

use futures::StreamExt;
use mesh_testing::{event, events};
use serde_json::{Value, json};

use super::{
    permissions::{connect, server, spec},
    support::eventually,
};
use crate::bus::{
    Bus,
    jetstream::{JetStreamBus, connection::inbox_prefix, layout, publish},
};

const STREAM: &str = layout::STREAM;
const DEAD: &str = layout::DEAD_STREAM;

/// A context that may do what its user may do, and no more; and the consumer that it has.
struct Rogue {
    bus: JetStreamBus,
    name: &'static str,
    consumer: &'static str,
}

impl Rogue {
    /// Asks the broker something about the consumer, and gives its answer.
    async fn ask(&self, operation: &str, body: Value) -> Value {
        let subject = layout::api(operation, &format!("{STREAM}.{}", self.consumer));
        let answer = self.bus.0.request(subject, None, body.to_string().into()).await.unwrap();
        serde_json::from_slice(&answer.payload).unwrap()
    }

    /// Makes the consumer anew. It delivers everything from the beginning.
    async fn consume(&self, mut config: Value) -> Value {
        self.ask("CONSUMER.DELETE", json!({})).await;
        for (key, value) in [("durable_name", self.consumer), ("ack_policy", "none"), ("deliver_policy", "all")] {
            config[key] = value.into();
        }
        self.ask("CONSUMER.CREATE", json!({ "stream_name": STREAM, "config": config })).await
    }

    /// Has the broker send to `target` whatever it can be had to send: an answer, an acknowledgement, and all that is in the stream.
    async fn sends(&self, target: &str, operator: &JetStreamBus) {
        let client = self.bus.0.client();
        let publish = async |subject: String, body: &'static str, target: &str| {
            client.publish_with_reply(subject, target.to_owned(), body.into()).await.unwrap();
        };
        publish(layout::api("STREAM.INFO", STREAM), "", target).await;
        let before = messages(operator, STREAM).await;
        publish(format!("jumak.{}.v1.thing.happened", self.name), "+TERM", target).await;
        eventually("what it says is stored", async || messages(operator, STREAM).await > before).await;
        self.consume(json!({})).await;
        let next = layout::api("CONSUMER.MSG.NEXT", &format!("{STREAM}.{}", self.consumer));
        publish(next.clone(), r#"{"batch":100}"#, target).await;
        // They are served in turn: when this one is, so was that.
        let own = format!("{}.next", inbox_prefix(self.name));
        let mut answers = client.subscribe(own.clone()).await.unwrap();
        publish(next, r#"{"batch":1,"no_wait":true}"#, &own).await;
        assert!(answers.next().await.is_some(), "the connection is up");
    }
}

/// How many messages are in the stream.
async fn messages(bus: &JetStreamBus, stream: &str) -> u64 {
    bus.0.context().get_stream(stream).await.unwrap().cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_the_broker_is_an_order_or_a_word_of_another() {
    let nats = server().await;
    connect(&nats, "stay").await.publish(&events("stay", 3)).await.unwrap();
    let payment = connect(&nats, "payment").await;
    let mut member = payment.subscribe(spec("payment")).await.unwrap();
    let held = member.fetch(2, Duration::from_secs(5)).await.unwrap();
    member.dead_letter(held[0].handle, "as it happens").await.unwrap();
    let operator = connect(&nats, "operator").await;

    let mut said = 3;
    for (name, consumer) in [("room", "room"), ("mypage", "mypage-1")] {
        let rogue = Rogue { bus: connect(&nats, name).await, name, consumer };
        // On its own subject it may say anything: also what looks like another's event.
        let forged = event("payment", 1);
        let headers = forged.headers().into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let own = format!("jumak.{name}.v1.thing.happened");
        publish::store(&rogue.bus.0, STREAM, own, headers.collect(), forged.data.clone().into()).await.unwrap();
        said += 1;
        for target in [
            format!("$JS.API.STREAM.DELETE.{STREAM}"),
            format!("$JS.API.STREAM.DELETE.{DEAD}"),
            format!("$JS.API.STREAM.PURGE.{DEAD}"),
            format!("$JS.API.CONSUMER.DELETE.{STREAM}.payment"),
            format!("$JS.JUMAK.API.STREAM.DELETE.{STREAM}"),
            format!("$JS.JUMAK.API.CONSUMER.DELETE.{STREAM}.payment"),
            format!("{}.payment.{}", layout::DEAD, forged.route),
            format!("{}.payment.{}", layout::REPLAY, forged.route),
            forged.route.clone(),
        ] {
            rogue.sends(&target, &operator).await;
            said += 1;
            assert_eq!(messages(&operator, STREAM).await, said, "{name} has {target} told");
            assert_eq!(messages(&operator, DEAD).await, 1, "{name} has {target} told");
            let pending = operator.pending("payment").await.unwrap();
            assert_eq!(pending, said - 1, "{name} has {target} told");
        }
    }
    member.ack(&[held[1].handle]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_pushed_to_where_the_broker_listens() {
    let nats = server().await;
    let rogue = Rogue { bus: connect(&nats, "room").await, name: "room", consumer: "room" };
    rogue.bus.publish(&events("room", 3)).await.unwrap();
    let operator = connect(&nats, "operator").await;
    for target in ["jumak.payment.v1.thing.happened", "jumak-replay.payment.jumak.payment.v1.thing.happened"] {
        let answer = rogue.consume(json!({ "deliver_subject": target })).await;
        assert!(answer["error"]["description"].as_str().is_some_and(|text| text.contains("forms a cycle")), "{answer}");
    }
    let mut told = operator.0.client().subscribe("told").await.unwrap();
    for target in ["$JS.API.STREAM.DELETE.JUMAK_DEAD", "jumak-dead.payment.jumak.payment.v1.thing.happened", "told"] {
        let answer = rogue.consume(json!({ "deliver_subject": target })).await;
        assert!(answer["error"].is_null(), "{answer}");
    }
    // Only to subscribers, of which there is this one: when it has heard everything, what was asked for before has been passed over.
    for _ in 0..3 {
        let heard = tokio::time::timeout(Duration::from_secs(10), told.next()).await;
        heard.expect("it is pushed").expect("the connection is up");
    }
    assert_eq!(messages(&operator, DEAD).await, 0);
}
