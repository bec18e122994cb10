use std::time::{Duration, Instant};

use mesh_foundation::event::Event;
use mesh_testing::{event, events};
use servers::{Nats, NatsOptions};

use super::support::{TIMING, chain, config, connect_with, eventually, has_settled, hears};
use crate::{
    bus::{
        Bus, ConsumerSpec, SharedBus,
        jetstream::{Accounts, Hearing, JetStreamBus, Permissions, envelope, layout, publish},
    },
    config::BusConfig,
    consumer,
    policies::Hears,
    testbed::{Testbed, wiring},
};

const CONTEXTS: [&str; 4] = ["room", "payment", "stay", "mypage"];

/// A server with a user for each context, and an operator who may do everything.
pub(super) async fn server() -> Nats {
    let operator = Accounts::new("operator", &secret("operator"));
    let accounts = CONTEXTS.iter().fold(operator, |accounts, context| {
        let hearing = if *context == "mypage" { Hearing::AsProjection } else { Hearing::Once };
        accounts.with(context, &secret(context), Permissions::of_context(context, hearing, &CONTEXTS))
    });
    Nats::start(NatsOptions { accounts: Some(accounts.to_string()) }).await.unwrap()
}

fn secret(user: &str) -> String {
    format!("secret of {user}")
}

pub(super) async fn connect(nats: &Nats, user: &str) -> JetStreamBus {
    let config = BusConfig { user: Some(user.to_owned()), password: Some(secret(user)), ..config(nats) };
    connect_with(&config, user).await
}

pub(super) fn spec(name: &str) -> ConsumerSpec {
    ConsumerSpec { name: name.to_owned(), filters: vec!["jumak.>".to_owned()], ack_wait: Duration::from_secs(60) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contexts_user_can_do_all_that_a_context_does() {
    let nats = server().await;
    let room = connect(&nats, "room").await;
    let sent = events("room", 3);
    let positions = room.publish(&sent).await.unwrap();
    assert!(room.holds(positions[0], sent[0].key()).await.unwrap());
    for (user, consumer) in [("payment", "payment"), ("mypage", "mypage-0192f0c1")] {
        let bus = connect(&nats, user).await;
        let mut member = bus.subscribe(spec(consumer)).await.unwrap();
        let heard = member.fetch(10, Duration::from_secs(5)).await.unwrap();
        assert_eq!(heard.len(), 3);
        member.ack(&[heard[0].handle]).await.unwrap();
        member.nak(heard[1].handle, Duration::from_secs(60)).await.unwrap();
        member.dead_letter(heard[2].handle, "it is too late").await.unwrap();
        assert_eq!(bus.pending(consumer).await.unwrap(), 1);
        bus.forget(consumer).await.unwrap();
        drop(bus.subscribe(spec(consumer)).await.unwrap());
    }
    let operator = connect(&nats, "operator").await;
    assert_eq!(operator.dead_letters(10).await.unwrap().len(), 2);
    assert_eq!(operator.replay_dead_letters("payment").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_waits_in_vain_hears_that_the_broker_is_there() {
    let nats = server().await;
    let mut member = connect(&nats, "payment").await.subscribe(spec("payment")).await.unwrap();
    // Longer than a broker may be silent that says nothing of itself.
    assert!(member.fetch(10, consumer::FETCH_WAIT).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_cannot_speak_as_another() {
    let nats = server().await;
    let room = connect(&nats, "room").await;
    let begun = Instant::now();
    let (own, forged) = (event("room", 1), event("payment", 1));
    let error = room.publish(&[own, forged.clone()]).await.unwrap_err();
    assert_eq!(error.refused, [forged.id], "the others can go on without it");
    assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
    let text = chain(&error);
    let expected = "the bus failed: publish: the broker does not permit publishing on jumak.payment.v1.thing.happened";
    assert_eq!(text, expected);
    room.publish(&events("room", 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_uses_anothers_ids_takes_no_event_away() {
    let nats = server().await;
    let sent = events("payment", 3);
    let forged: Vec<Event> = sent.iter().map(|event| Event { id: event.id, ..self::event("room", 1) }).collect();
    connect(&nats, "room").await.publish(&forged).await.unwrap();
    let payment = connect(&nats, "payment").await;
    let positions = payment.publish(&sent).await.unwrap();
    for (position, event) in positions.into_iter().zip(&sent) {
        assert!(payment.holds(position, event.key()).await.unwrap(), "it is not at {position}");
    }
    let bus: SharedBus = std::sync::Arc::new(connect(&nats, "stay").await);
    let testbed = Testbed::new();
    let (stay, wiring) = (testbed.database("stay.db").await, wiring(&bus));
    let hears = Hears { filters: vec!["jumak.>".to_owned()], ..hears(|event| event.source == "room") };
    consumer::start_at(TIMING, "stay", stay.clone(), hears, &wiring).await.unwrap();
    eventually("everything is settled", async || has_settled(&*bus, "stay", &stay, sent.len()).await).await;
    super::support::assert_one_effect_each(&stay, &sent).await;
    wiring.background.drain(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_cannot_touch_the_stream_or_the_place_of_another() {
    let nats = server().await;
    connect(&nats, "room").await.publish(&events("room", 3)).await.unwrap();
    drop(connect(&nats, "payment").await.subscribe(spec("payment")).await.unwrap());
    let (stream, dead) = (layout::STREAM, layout::DEAD_STREAM);
    for user in ["room", "mypage"] {
        let bus = connect(&nats, user).await;
        for subject in [
            format!("$JS.API.STREAM.DELETE.{stream}"),
            format!("$JS.API.STREAM.PURGE.{stream}"),
            format!("$JS.API.STREAM.UPDATE.{stream}"),
            format!("$JS.API.STREAM.MSG.DELETE.{stream}"),
            format!("$JS.API.STREAM.DELETE.{dead}"),
            format!("$JS.API.STREAM.MSG.GET.{dead}"),
            format!("$JS.API.CONSUMER.DELETE.{stream}.payment"),
            format!("$JS.API.CONSUMER.CREATE.{stream}.payment"),
            format!("$JS.API.CONSUMER.CREATE.{stream}.payment.jumak.>"),
            format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.payment"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.payment"),
            format!("$JS.ACK.{stream}.payment.1.1.1.1.0"),
            "jumak-dead.payment.jumak.room.v1.thing.happened".to_owned(),
            "jumak-replay.payment.jumak.room.v1.thing.happened".to_owned(),
        ] {
            let link = &bus.0;
            let asked = link.run("test", subject.clone(), link.request(subject.clone(), None, "{}".into())).await;
            let text = chain(&asked.expect_err(&subject));
            assert_eq!(text, format!("the bus failed: test: the broker does not permit publishing on {subject}"));
        }
    }
    let operator = connect(&nats, "operator").await;
    assert_eq!(operator.pending("payment").await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_says_it_is_another_contexts_is_put_aside() {
    let nats = server().await;
    let room = connect(&nats, "room").await;
    let honest = event("room", 1);
    let forged = [
        Event { source: "payment".to_owned(), ..event("room", 2) },
        Event { kind: "jumak.payment.v1.ThingHappened".to_owned(), ..event("room", 3) },
        Event { kind: "jumak.room.v1.ThingUndone".to_owned(), ..event("room", 4) },
    ];
    // All that its user's permissions let it do: its own subject, under any headers.
    room.publish(&forged).await.unwrap();
    // And what the client of another language might send.
    for (data, headers) in [(&b"no event at all"[..], async_nats::HeaderMap::new()), (b"", status_lookalike())] {
        let stored = publish::store(&room.0, layout::STREAM, forged[0].route.clone(), headers, data.into());
        stored.await.unwrap();
    }
    room.publish(std::slice::from_ref(&honest)).await.unwrap();

    let bus: SharedBus = std::sync::Arc::new(connect(&nats, "stay").await);
    let testbed = Testbed::new();
    let (stay, wiring) = (testbed.database("stay.db").await, wiring(&bus));
    consumer::start_at(TIMING, "stay", stay.clone(), hears(|_| false), &wiring).await.unwrap();
    eventually("everything is settled", async || has_settled(&*bus, "stay", &stay, 1).await).await;
    super::support::assert_one_effect_each(&stay, &[honest]).await;
    let letters = connect(&nats, "operator").await.dead_letters(10).await.unwrap();
    let reasons: Vec<&str> = letters.iter().rev().map(|letter| letter.reason.as_str()).collect();
    let published = "undecodable: published on jumak.room.v1.thing.happened, but declared as";
    let expected = [
        format!("{published} jumak.room.v1.ThingHappened from payment"),
        format!("{published} jumak.payment.v1.ThingHappened from room"),
        format!("{published} jumak.room.v1.ThingUndone from room"),
        "undecodable: the header ce-time is missing".to_owned(),
        "undecodable: the header ce-time is missing".to_owned(),
    ];
    assert_eq!(reasons, expected);
    wiring.background.drain(Duration::from_secs(2)).await;
}

/// Headers that look like the broker's own.
fn status_lookalike() -> async_nats::HeaderMap {
    let pairs = [("Status", "404"), ("Description", "No Messages")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    envelope::headers(&pairs, None).unwrap()
}
