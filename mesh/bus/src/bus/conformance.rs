//! The conformance suite of the bus port, run on each adapter. It uses nothing but the port.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mesh_foundation::event::Event;
use mesh_testing::{event, events};
use uuid::Uuid;

use super::{ConsumerSpec, DeadLetter, Delivery, SharedBus, Subscription, matches};

/// A timeout that a passing test never reaches.
const PATIENCE: Duration = Duration::from_secs(20);
/// A lease that ends while the test watches.
const SHORT: Duration = Duration::from_secs(1);
/// A lease that does not end while the test watches.
const LONG: Duration = Duration::from_secs(60);
/// How long the suite waits to conclude that no message comes.
const SILENCE: Duration = Duration::from_millis(150);
/// What two clocks may differ by.
const CLOCKS: Duration = Duration::from_millis(10);

/// How the suite opens an adapter.
#[async_trait]
pub(crate) trait Harness {
    /// Opens the bus on its storage. Opened again after the previous one was dropped, it is the bus of a restarted process.
    async fn open(&self) -> SharedBus;
}

/// Runs every property, each on a new, empty bus; side by side, because most of their time is waiting.
pub(crate) async fn run<H: Harness>(make: impl Fn() -> H) {
    tokio::join!(
        an_event_published_twice_is_delivered_once(make()),
        headers_and_body_arrive_as_they_were_sent(make()),
        a_new_consumer_hears_everything_from_the_beginning(make()),
        a_fetch_is_in_the_order_of_publication_and_bounded(make()),
        a_fetch_returns_when_something_arrives_and_not_at_its_deadline(make()),
        filters_match_like_nats(make()),
        two_consumers_each_hear_everything(make()),
        members_of_one_consumer_share_the_work(make()),
        a_member_that_dies_leaves_its_work_to_another(make()),
        what_was_acknowledged_never_comes_back_even_after_a_restart(make()),
        what_was_not_acknowledged_comes_back_after_a_restart(make()),
        an_unacknowledged_message_comes_back_after_its_wait_and_is_counted(make()),
        a_nak_is_redelivered_after_its_delay_not_before(make()),
        a_dead_letter_keeps_its_reason_and_can_be_replayed(make()),
        the_newest_event_of_a_context_is_known(make()),
        an_event_is_held_where_its_publisher_was_told(make()),
        a_consumer_that_was_forgotten_hears_everything_again(make()),
    );
}

async fn an_event_published_twice_is_delivered_once(harness: impl Harness) {
    let bus = harness.open().await;
    let events = events("room", 3);
    bus.publish(&events).await.unwrap();
    bus.publish(&events[1..]).await.unwrap();
    bus.publish(&[events[0].clone(), events[0].clone()]).await.unwrap();
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    hear(member.as_mut(), &events).await;
    assert_nothing_left(&bus, "hearer", member.as_mut()).await;
}

async fn the_newest_event_of_a_context_is_known(harness: impl Harness) {
    let bus = harness.open().await;
    assert_eq!(bus.newest("room").await.unwrap(), None);
    let (rooms, payments) = (events("room", 3), events("payment", 1));
    bus.publish(&rooms).await.unwrap();
    bus.publish(&payments).await.unwrap();
    assert_eq!(bus.newest("room").await.unwrap(), Some(rooms[2].id));
    assert_eq!(bus.newest("payment").await.unwrap(), Some(payments[0].id));
    assert_eq!(bus.newest("roo").await.unwrap(), None);
}

async fn headers_and_body_arrive_as_they_were_sent(harness: impl Harness) {
    let bus = harness.open().await;
    let mut full = event("room", 1);
    full.causation_id = Some("caused \"by\" ünïcode".to_owned());
    full.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    full.data = (0..=255).collect();
    let empty = Event { data: Vec::new(), ..event("room", 2) };
    bus.publish(&[full.clone(), empty.clone()]).await.unwrap();
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    let heard = hear(member.as_mut(), &[full.clone(), empty.clone()]).await;
    for sent in [full, empty] {
        let got = heard.iter().find(|got| id(got) == sent.id).unwrap();
        assert_eq!(Event::from_parts(&got.route, &got.headers, got.data.clone()).unwrap(), sent);
        for header in sent.headers() {
            assert!(got.headers.contains(&header), "{header:?} is not among {:?}", got.headers);
        }
    }
}

async fn a_new_consumer_hears_everything_from_the_beginning(harness: impl Harness) {
    let early = events("room", 5);
    {
        let bus = harness.open().await;
        bus.publish(&early).await.unwrap();
    }
    let bus = harness.open().await;
    let late = events("room", 5);
    bus.publish(&late).await.unwrap();
    let mut member = subscribe(&bus, "newcomer", &["jumak.>"], LONG).await;
    assert_pending(&bus, "newcomer", 10).await;
    hear(member.as_mut(), &[early, late].concat()).await;
    assert_nothing_left(&bus, "newcomer", member.as_mut()).await;
}

async fn a_fetch_is_in_the_order_of_publication_and_bounded(harness: impl Harness) {
    let bus = harness.open().await;
    let mut sent = events("room", 7);
    // The order is that of publication, not that of the ids.
    sent.reverse();
    bus.publish(&sent).await.unwrap();
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    let mut heard = Vec::new();
    while heard.len() < sent.len() {
        let batch = member.fetch(3, PATIENCE).await.unwrap();
        assert!((1..=3).contains(&batch.len()), "{} messages in a fetch of at most 3", batch.len());
        heard.extend(batch.iter().map(id));
    }
    assert_eq!(heard, ids(&sent));
}

async fn a_fetch_returns_when_something_arrives_and_not_at_its_deadline(harness: impl Harness) {
    let bus = harness.open().await;
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { member.fetch(10, PATIENCE).await });
    let event = event("room", 1);
    bus.publish(std::slice::from_ref(&event)).await.unwrap();
    let heard = waiting.await.unwrap().unwrap();
    assert_eq!(heard.iter().map(id).collect::<Vec<_>>(), [event.id]);
    assert!(begun.elapsed() < PATIENCE / 2, "it took {:?}", begun.elapsed());

    let mut idle = subscribe(&bus, "other", &["jumak.nobody.>"], LONG).await;
    let begun = Instant::now();
    assert!(idle.fetch(10, SILENCE).await.unwrap().is_empty());
    assert!(begun.elapsed() + CLOCKS >= SILENCE, "an empty fetch came back after {:?}", begun.elapsed());
}

async fn filters_match_like_nats(harness: impl Harness) {
    let bus = harness.open().await;
    let on = |route: &str| Event { route: route.to_owned(), ..event("room", 1) };
    let sent = [
        on("jumak.room.v1.room.created"),
        on("jumak.room.v1.room.deleted"),
        on("jumak.room.v1.host.joined"),
        on("jumak.roommate.v1.room.created"),
        on("jumak.payment.v1.payment.approved"),
    ];
    bus.publish(&sent).await.unwrap();
    for (name, filters) in [
        ("one", &["jumak.room.v1.room.created"][..]),
        ("star", &["jumak.room.v1.room.*"]),
        ("inner-star", &["jumak.*.v1.room.created"]),
        ("tail", &["jumak.room.>"]),
        ("several", &["jumak.room.v1.room.*", "jumak.payment.>"]),
        ("all", &["jumak.>"]),
    ] {
        let wanted: Vec<Event> =
            sent.iter().filter(|event| filters.iter().any(|filter| matches(filter, &event.route))).cloned().collect();
        let mut member = subscribe(&bus, name, filters, LONG).await;
        assert_pending(&bus, name, wanted.len() as u64).await;
        hear(member.as_mut(), &wanted).await;
        assert_nothing_left(&bus, name, member.as_mut()).await;
    }
}

async fn two_consumers_each_hear_everything(harness: impl Harness) {
    let bus = harness.open().await;
    let mut first = subscribe(&bus, "first", &["jumak.>"], LONG).await;
    let mut second = subscribe(&bus, "second", &["jumak.>"], LONG).await;
    let sent = events("room", 20);
    bus.publish(&sent).await.unwrap();
    hear(first.as_mut(), &sent).await;
    assert_pending(&bus, "first", 0).await;
    assert_pending(&bus, "second", 20).await;
    hear(second.as_mut(), &sent).await;
}

async fn members_of_one_consumer_share_the_work(harness: impl Harness) {
    let bus = harness.open().await;
    let sent = events("room", 40);
    bus.publish(&sent[..20]).await.unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut work = Vec::new();
    for _ in 0..3 {
        let mut member = subscribe(&bus, "team", &["jumak.>"], LONG).await;
        let acknowledged = acknowledged.clone();
        work.push(tokio::spawn(async move {
            let mut heard = Vec::new();
            let deadline = Instant::now() + PATIENCE;
            while acknowledged.load(Ordering::SeqCst) < 40 && Instant::now() < deadline {
                let batch = member.fetch(5, SILENCE).await.unwrap();
                member.ack(&handles(&batch)).await.unwrap();
                acknowledged.fetch_add(batch.len(), Ordering::SeqCst);
                heard.extend(batch.iter().map(id));
            }
            heard
        }));
    }
    bus.publish(&sent[20..]).await.unwrap();
    let mut heard = Vec::new();
    for member in work {
        heard.extend(member.await.unwrap());
    }
    heard.sort();
    assert_eq!(heard, ids(&sent), "every message goes to exactly one member");
    assert_pending(&bus, "team", 0).await;
}

async fn a_member_that_dies_leaves_its_work_to_another(harness: impl Harness) {
    let bus = harness.open().await;
    let sent = events("room", 2);
    bus.publish(&sent).await.unwrap();
    let mut dies = subscribe(&bus, "team", &["jumak.>"], SHORT).await;
    let mut lives = subscribe(&bus, "team", &["jumak.>"], SHORT).await;
    let mut taken = 0;
    while taken < sent.len() {
        taken += dies.fetch(10, PATIENCE).await.unwrap().len();
    }
    drop(dies);
    let heard = hear(lives.as_mut(), &sent).await;
    assert!(heard.iter().all(|delivery| delivery.deliveries == 2), "{heard:?}");
}

async fn what_was_acknowledged_never_comes_back_even_after_a_restart(harness: impl Harness) {
    let sent = events("room", 6);
    {
        let bus = harness.open().await;
        bus.publish(&sent).await.unwrap();
        let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
        hear(member.as_mut(), &sent).await;
        // Longer than the lease would have been.
        assert!(member.fetch(10, SHORT + SILENCE).await.unwrap().is_empty());
    }
    let bus = harness.open().await;
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
    assert_nothing_left(&bus, "hearer", member.as_mut()).await;
}

async fn what_was_not_acknowledged_comes_back_after_a_restart(harness: impl Harness) {
    let sent = events("room", 4);
    {
        let bus = harness.open().await;
        bus.publish(&sent).await.unwrap();
        let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
        let first = member.fetch(1, PATIENCE).await.unwrap();
        member.ack(&handles(&first)).await.unwrap();
        assert!(!member.fetch(1, PATIENCE).await.unwrap().is_empty());
    }
    let bus = harness.open().await;
    assert_pending(&bus, "hearer", 3).await;
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
    hear(member.as_mut(), &sent[1..]).await;
    assert_nothing_left(&bus, "hearer", member.as_mut()).await;
}

async fn an_unacknowledged_message_comes_back_after_its_wait_and_is_counted(harness: impl Harness) {
    let bus = harness.open().await;
    let event = event("room", 1);
    bus.publish(std::slice::from_ref(&event)).await.unwrap();
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
    let begun = Instant::now();
    for deliveries in 1..=3 {
        let heard = member.fetch(10, PATIENCE).await.unwrap();
        assert_eq!(heard.iter().map(id).collect::<Vec<_>>(), [event.id]);
        assert_eq!(heard[0].deliveries, deliveries);
        let leases = SHORT * (deliveries - 1);
        assert!(begun.elapsed() + CLOCKS >= leases, "delivery {deliveries} came after {:?}", begun.elapsed());
        if deliveries == 3 {
            member.ack(&handles(&heard)).await.unwrap();
        }
    }
    assert_nothing_left(&bus, "hearer", member.as_mut()).await;
}

async fn a_nak_is_redelivered_after_its_delay_not_before(harness: impl Harness) {
    let bus = harness.open().await;
    let sent = events("room", 2);
    bus.publish(&sent).await.unwrap();
    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(member.fetch(10, PATIENCE).await.unwrap());
    }
    let begun = Instant::now();
    member.nak(heard[0].handle, SHORT).await.unwrap();
    member.ack(&[heard[1].handle]).await.unwrap();
    let again = member.fetch(10, PATIENCE).await.unwrap();
    assert!(begun.elapsed() + CLOCKS >= SHORT, "it came back after {:?}", begun.elapsed());
    assert!(begun.elapsed() < PATIENCE / 2, "it came back after {:?}", begun.elapsed());
    assert_eq!(again.iter().map(id).collect::<Vec<_>>(), [id(&heard[0])]);
    assert_eq!(again[0].deliveries, 2);
}

async fn a_dead_letter_keeps_its_reason_and_can_be_replayed(harness: impl Harness) {
    let sent = events("room", 3);
    let reason = "undecodable: the header \"ce-id\" is missing";
    {
        let bus = harness.open().await;
        bus.publish(&sent).await.unwrap();
        let mut member = subscribe(&bus, "hearer", &["jumak.>"], SHORT).await;
        let mut heard = Vec::new();
        while heard.len() < 3 {
            heard.extend(member.fetch(10, PATIENCE).await.unwrap());
        }
        let (dead, well): (Vec<Delivery>, Vec<Delivery>) = heard.into_iter().partition(|got| id(got) == sent[1].id);
        member.ack(&handles(&well)).await.unwrap();
        member.dead_letter(dead[0].handle, reason).await.unwrap();
        // Longer than the lease would have been.
        assert!(member.fetch(10, SHORT + SILENCE).await.unwrap().is_empty());
        assert_nothing_left(&bus, "hearer", member.as_mut()).await;
    }
    let bus = harness.open().await;
    let letters: Vec<DeadLetter> = bus.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].consumer, "hearer");
    assert_eq!(letters[0].reason, reason);
    assert_eq!(letters[0].delivery.deliveries, 1);
    assert_eq!(letters[0].delivery.data, sent[1].data);
    assert_eq!(id(&letters[0].delivery), sent[1].id);

    let mut member = subscribe(&bus, "hearer", &["jumak.>"], LONG).await;
    assert_eq!(bus.replay_dead_letters("somebody else").await.unwrap(), 0);
    assert_eq!(bus.replay_dead_letters("hearer").await.unwrap(), 1);
    hear(member.as_mut(), &sent[1..2]).await;
    assert_nothing_left(&bus, "hearer", member.as_mut()).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
}

async fn an_event_is_held_where_its_publisher_was_told(harness: impl Harness) {
    let sent = events("room", 5);
    let positions = harness.open().await.publish(&sent).await.unwrap();
    assert_eq!(positions.len(), sent.len());
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
    let bus = harness.open().await;
    let late = event("room", 6);
    let again = bus.publish(&[sent[3].clone(), late.clone()]).await.unwrap();
    assert_eq!(again[0], positions[3], "an event that the bus has is where it was");
    assert!(again[1] > positions[4]);
    for (event, position) in sent.iter().zip(&positions) {
        assert!(bus.holds(*position, event.key()).await.unwrap());
    }
    assert!(!bus.holds(positions[0], sent[1].key()).await.unwrap(), "another event is there");
    for behind in [1, 1_000_000] {
        assert!(!bus.holds(again[1] + behind, late.key()).await.unwrap(), "nothing is there");
    }
    let namesake = Event { id: late.id, ..event("payment", 1) };
    assert!(bus.publish(&[namesake]).await.unwrap()[0] > again[1], "an id is its context's own");
}

async fn a_consumer_that_was_forgotten_hears_everything_again(harness: impl Harness) {
    let (bus, sent) = (harness.open().await, events("room", 3));
    bus.publish(&sent).await.unwrap();
    for _ in 0..2 {
        bus.forget("hearer").await.unwrap();
        hear(subscribe(&bus, "hearer", &["jumak.>"], LONG).await.as_mut(), &sent).await;
    }
}

async fn subscribe(bus: &SharedBus, name: &str, filters: &[&str], ack_wait: Duration) -> Box<dyn Subscription> {
    let filters = filters.iter().map(ToString::to_string).collect();
    bus.subscribe(ConsumerSpec { name: name.to_owned(), filters, ack_wait }).await.unwrap()
}

/// Fetches and acknowledges until every one of `wanted` has come, and fails if anything else does or one comes twice.
async fn hear(member: &mut dyn Subscription, wanted: &[Event]) -> Vec<Delivery> {
    let mut missing: HashSet<Uuid> = wanted.iter().map(|event| event.id).collect();
    let mut heard = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "{} of {} messages never came", missing.len(), wanted.len());
        let batch = member.fetch(10, Duration::from_secs(1)).await.unwrap();
        member.ack(&handles(&batch)).await.unwrap();
        for delivery in batch {
            assert!(missing.remove(&id(&delivery)), "not awaited: {delivery:?}");
            heard.push(delivery);
        }
    }
    heard
}

async fn assert_nothing_left(bus: &SharedBus, name: &str, member: &mut dyn Subscription) {
    assert_pending(bus, name, 0).await;
    let more = member.fetch(10, SILENCE).await.unwrap();
    assert!(more.is_empty(), "{name} was also given {more:?}");
}

/// A bus need not have stored an acknowledgement when it returns: the number settles.
async fn assert_pending(bus: &SharedBus, name: &str, expected: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pending = bus.pending(name).await.unwrap();
        if pending == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{name} has {pending} events pending instead of {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn id(delivery: &Delivery) -> Uuid {
    let (_, id) = delivery.headers.iter().find(|(key, _)| key == "ce-id").unwrap();
    id.parse().unwrap()
}

fn ids(events: &[Event]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

fn handles(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.handle).collect()
}
