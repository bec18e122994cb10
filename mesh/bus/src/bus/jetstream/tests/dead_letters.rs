use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mesh_foundation::event::Event;
use mesh_testing::events;

use super::support::{TIMING, assert_one_effect_each, connect, eventually, has_settled, hears, server};
use crate::{
    bus::{
        Bus, ConsumerSpec, SharedBus,
        jetstream::{dead_letters::letter_id, envelope, layout, publish::store},
    },
    consumer,
    testbed::{Testbed, wiring},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_is_put_aside_with_its_reason_and_can_be_replayed_when_it_is_cured() {
    let nats = server().await;
    let bus: SharedBus = Arc::new(connect(&nats, "stay").await);
    let testbed = Testbed::new();
    let (stay, wiring) = (testbed.database("stay.db").await, wiring(&bus));
    let sent = events("room", 50);
    bus.publish(&sent).await.unwrap();
    let cured = Arc::new(AtomicBool::new(false));
    let refuses = {
        let (poison, cured) = (sent[20].id, cured.clone());
        move |event: &Event| event.id == poison && !cured.load(Ordering::SeqCst)
    };
    consumer::start_at(TIMING, "stay", stay.clone(), hears(refuses), &wiring).await.unwrap();
    let others: Vec<Event> = sent.iter().filter(|event| event.id != sent[20].id).cloned().collect();
    eventually("everything is settled", async || has_settled(&*bus, "stay", &stay, others.len()).await).await;
    assert_one_effect_each(&stay, &others).await;
    let letters = bus.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "failed 5 times: internal: it cannot be");
    assert_eq!((letters[0].consumer.as_str(), letters[0].delivery.deliveries), ("stay", 5));

    cured.store(true, Ordering::SeqCst);
    assert_eq!(bus.replay_dead_letters("stay").await.unwrap(), 1);
    eventually("the effect is there", async || super::support::effects(&stay).await.len() == sent.len()).await;
    assert_one_effect_each(&stay, &sent).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
    wiring.background.drain(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_are_shown_and_only_the_consumers_own_are_replayed() {
    let nats = server().await;
    let bus = connect(&nats, "tester").await;
    let sent = events("room", 6);
    bus.publish(&sent).await.unwrap();
    for name in ["one", "two"] {
        let spec = ConsumerSpec {
            name: name.to_owned(),
            filters: vec!["jumak.>".to_owned()],
            ack_wait: Duration::from_secs(60),
        };
        let mut member = bus.subscribe(spec).await.unwrap();
        for delivery in member.fetch(10, Duration::from_secs(5)).await.unwrap() {
            member.dead_letter(delivery.handle, "no\nsuch thing").await.unwrap();
        }
    }
    let newest = bus.dead_letters(8).await.unwrap();
    let seen: Vec<(&str, &[u8])> =
        newest.iter().map(|letter| (letter.consumer.as_str(), letter.delivery.data.as_slice())).collect();
    let two = sent.iter().rev().map(|event| ("two", event.data.as_slice()));
    let one = sent.iter().rev().map(|event| ("one", event.data.as_slice())).take(2);
    assert_eq!(seen, two.chain(one).collect::<Vec<_>>());
    assert_eq!(newest[0].reason, "no such thing");

    assert_eq!(bus.replay_dead_letters("one").await.unwrap(), 6);
    assert_eq!((bus.pending("one").await.unwrap(), bus.pending("two").await.unwrap()), (6, 0));
    // The holes that the replay has left hide nothing.
    assert_eq!(bus.dead_letters(6).await.unwrap().len(), 6);
    assert_eq!(bus.replay_dead_letters("one").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_event_at_the_same_position_is_another_dead_letter() {
    let nats = server().await;
    let bus = connect(&nats, "tester").await;
    let filters = vec!["jumak.>".to_owned()];
    let spec = ConsumerSpec { name: "stay".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let sent = events("room", 2);
    for lost in &sent {
        assert_eq!(bus.publish(std::slice::from_ref(lost)).await.unwrap(), [1]);
        let mut member = bus.subscribe(spec.clone()).await.unwrap();
        let heard = member.fetch(1, Duration::from_secs(5)).await.unwrap();
        member.dead_letter(heard[0].handle, "it cannot be").await.unwrap();
        bus.0.context().delete_stream(layout::STREAM).await.unwrap();
        bus.0.failed();
    }
    let letters = bus.dead_letters(10).await.unwrap();
    let data: Vec<&[u8]> = letters.iter().map(|letter| letter.delivery.data.as_slice()).collect();
    assert_eq!(data, [sent[1].data.as_slice(), &sent[0].data]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_context_stores_beforehand_takes_no_dead_letter_away() {
    let nats = server().await;
    let (bus, rogue) = (connect(&nats, "stay").await, connect(&nats, "room").await);
    let sent = events("room", 1);
    bus.publish(&sent).await.unwrap();
    let filters = vec!["jumak.>".to_owned()];
    let spec = ConsumerSpec { name: "stay".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let mut member = bus.subscribe(spec).await.unwrap();
    let heard = member.fetch(1, Duration::from_secs(5)).await.unwrap();
    // It has heard the same event, and knows how dead letters are called.
    let id = letter_id(&rogue.0, "stay", &heard[0]);
    let subject = layout::dead_subject("rogue", &sent[0].route);
    let headers = envelope::headers(&sent[0].headers(), Some(&id)).unwrap();
    store(&rogue.0, layout::DEAD_STREAM, subject, headers, Vec::new().into()).await.unwrap();

    member.dead_letter(heard[0].handle, "it cannot be").await.unwrap();
    let letters = bus.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].consumer.as_str()), (2, "stay"));
    assert_eq!(letters[0].delivery.data, sent[0].data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_delivered_whatever_the_broker_remembers() {
    let nats = server().await;
    let bus = connect(&nats, "stay").await;
    let filters = vec!["jumak.room.>".to_owned()];
    let spec = ConsumerSpec { name: "stay".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let sent = events("room", 1);
    bus.publish(&sent).await.unwrap();
    let mut member = bus.subscribe(spec).await.unwrap();
    // The stream of dead letters is made anew in between: the second letter has the first one's place.
    for _ in 0..2 {
        let heard = member.fetch(1, Duration::from_secs(5)).await.unwrap();
        assert_eq!(heard[0].data, sent[0].data);
        member.dead_letter(heard[0].handle, "it cannot be").await.unwrap();
        assert_eq!(bus.replay_dead_letters("stay").await.unwrap(), 1);
        bus.0.context().delete_stream(layout::DEAD_STREAM).await.unwrap();
        bus.0.failed();
    }
    assert_eq!(member.fetch(1, Duration::from_secs(5)).await.unwrap().len(), 1, "the second is delivered too");
}
