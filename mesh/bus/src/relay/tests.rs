mod plans;
mod refused;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use jiff::SignedDuration;
use mesh_testing::{event, events, eventually};
use sea_orm::PaginatorTrait;

use super::*;
use crate::{
    bus::{Bus, ConsumerSpec, DeadLetter, Subscription},
    testbed::{Testbed, commit, wiring},
};

/// A relay that has been running for a while.
fn relay(database: &Database, bus: &SharedBus, clock: &Clock) -> Relay {
    Relay {
        database: database.clone(),
        bus: bus.clone(),
        clock: clock.clone(),
        labels: [KeyValue::new("context", "room")],
        flush: FLUSH,
        has_begun: true,
        looked: None,
        told: None,
        dropped: Dropped::default(),
    }
}

async fn unpublished(database: &Database) -> u64 {
    Entity::find().filter(Column::PublishTime.is_null()).count(database.read()).await.unwrap()
}

/// Subscribes and acknowledges until there is nothing left; the bodies in the order in which they came.
async fn hear(bus: &SharedBus) -> Vec<u64> {
    hear_from(bus, "jumak.>").await
}

async fn hear_from(bus: &SharedBus, filter: &str) -> Vec<u64> {
    let filters = vec![filter.to_owned()];
    let spec = ConsumerSpec { name: "hearer".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let mut member = bus.subscribe(spec).await.unwrap();
    let mut heard = Vec::new();
    while bus.pending("hearer").await.unwrap() > 0 {
        for delivery in member.fetch(100, Duration::from_secs(1)).await.unwrap() {
            member.ack(&[delivery.handle]).await.unwrap();
            heard.push(u64::from_be_bytes(delivery.data.try_into().unwrap()));
        }
    }
    heard
}

#[tokio::test]
async fn what_is_committed_is_published_even_if_the_relay_dies_between_publish_and_mark() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    let mut dies = relay(&database, &bus, &clock);
    assert_eq!(dies.publish_batch().await.unwrap(), 0);
    commit(&database, &events("room", 5)).await;
    let claim = dies.claim().await.unwrap();
    let published: Vec<Event> = claim.rows.into_iter().take(3).map(Event::from).collect();
    bus.publish(&published).await.unwrap();
    drop(dies);

    let mut lives = relay(&database, &bus, &clock);
    assert_eq!(lives.publish_batch().await.unwrap(), 0, "the claim keeps others away");
    clock.advance(SignedDuration::try_from(CLAIM).unwrap() + SignedDuration::from_secs(1));
    assert_eq!(lives.publish_batch().await.unwrap(), 5, "until it lapses");
    assert_eq!(unpublished(&database).await, 0);
    assert_eq!(hear(&bus).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_relay_that_starts_goes_on_at_once_where_one_has_died() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    commit(&database, &events("room", 5)).await;
    let claimed = relay(&database, &bus, &clock).claim().await.unwrap();
    assert_eq!(claimed.rows.len(), 5, "it dies with them");

    let mut starts = Relay { has_begun: false, ..relay(&database, &bus, &clock) };
    assert_eq!(starts.publish_batch().await.unwrap(), 5);
    assert_eq!(hear(&bus).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_batch_that_went_to_a_lost_stream_is_not_marked() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    commit(&database, &events("room", 5)).await;
    let late = relay(&database, &bus, &Clock::system());
    let claim = late.claim().await.unwrap();
    let claimed: Vec<Uuid> = claim.rows.iter().map(|row| row.id).collect();
    // Another relay notices that the stream is gone while this one waits for its answer from it.
    assert_eq!(republish(&database).await.unwrap(), 0, "none was marked");
    assert_eq!(late.mark(&claimed, &[1, 2, 3, 4, 5], claim.until).await.unwrap(), 0);
    assert_eq!(unpublished(&database).await, 5);
}

#[tokio::test]
async fn a_bus_that_takes_as_long_as_it_may_has_its_batch_marked_nevertheless() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    // To make ready and to publish, to make ready and to look: each up to its bound.
    let longest = SignedDuration::try_from(4 * crate::bus::jetstream::WAIT).unwrap();
    let slow = Switch::beside_another(&database, &bus, &clock, longest);
    commit(&database, &events("room", 5)).await;
    assert_eq!(relay(&database, &slow, &clock).publish_batch().await.unwrap(), 5);
    assert_eq!(unpublished(&database).await, 0);
}

#[tokio::test]
async fn a_batch_whose_claim_has_ended_is_not_counted_as_published() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let clock = Clock::manual(Clock::system().now());
    let longer = SignedDuration::try_from(2 * CLAIM).unwrap();
    let late = Switch::beside_another(&database, &bus, &clock, longer);
    commit(&database, &events("room", 5)).await;
    // While it publishes its claim lapses, and another relay publishes and marks the same events.
    let outcome = relay(&database, &late, &clock).publish_batch().await;
    assert!(matches!(outcome, Err(RelayError::Late { published: 5, unmarked: 5 })), "{outcome:?}");
    assert_eq!(unpublished(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_republish_does_not_chase_a_relay_that_is_running() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let wiring = wiring(&bus);
    start("room", database.clone(), &wiring);
    commit(&database, &events("room", 3_000)).await;
    eventually("everything is marked", async || unpublished(&database).await == 0).await;
    // The bus knows the events: the relay marks them again where they were.
    assert_eq!(republish(&database).await.unwrap(), 3_000);
    eventually("everything is marked again", async || unpublished(&database).await == 0).await;
    wiring.background.drain(POLL).await;
}

#[tokio::test]
async fn a_lost_stream_is_filled_again_from_the_outbox() {
    let testbed = Testbed::new();
    let database = testbed.database("room.db").await;
    let (first, second) = (testbed.bus("first.db").await, testbed.bus("second.db").await);
    let switch = Arc::new(Switch::default());
    switch.to(Some(&first));
    let bus: SharedBus = switch.clone();
    let wiring = wiring(&bus);
    start("room", database.clone(), &wiring);
    commit(&database, &events("room", 5)).await;
    eventually("the first stream has the events", async || unpublished(&database).await == 0).await;
    assert_eq!(hear(&first).await, [1, 2, 3, 4, 5]);

    switch.to(None);
    commit(&database, &[event("room", 6)]).await;
    eventually("the relay notices", async || switch.failures.load(Ordering::SeqCst) > 0).await;
    switch.to(Some(&second));
    eventually("the second stream has the events", async || unpublished(&database).await == 0).await;
    assert_eq!(hear(&second).await, [1, 2, 3, 4, 5, 6]);
    wiring.background.drain(POLL).await;
}

/// A bus that holds the first `kept` of `sent`, and behind them what another context has said since.
async fn without_its_tail(bus: &SharedBus, sent: &[Event], kept: usize) {
    bus.publish(&sent[..kept]).await.unwrap();
    bus.publish(&events("payment", 30)).await.unwrap();
}

#[tokio::test]
async fn exactly_what_the_stream_has_lost_is_published_again() {
    for kept in [0, 1, 6, 19, 20] {
        let testbed = Testbed::new();
        let database = testbed.database("room.db").await;
        let (first, second) = (testbed.bus("first.db").await, testbed.bus("second.db").await);
        let sent = events("room", 20);
        commit(&database, &sent).await;
        let clock = Clock::system();
        assert_eq!(relay(&database, &first, &clock).publish_batch().await.unwrap(), 20);
        assert_eq!(loss::recover(&database, &*first).await.unwrap(), 0, "nothing is lost");

        without_its_tail(&second, &sent, kept).await;
        assert_eq!(loss::recover(&database, &*second).await.unwrap(), 20 - kept as u64, "{kept} are kept");
        assert_eq!(unpublished(&database).await, 20 - kept as u64);
        assert_eq!(loss::recover(&database, &*second).await.unwrap(), 0, "and the rest is not looked for again");
        relay(&database, &second, &clock).publish_batch().await.unwrap();
        assert_eq!(unpublished(&database).await, 0);
        assert_eq!(loss::look(&database, &*second).await.unwrap(), Stream::Intact);
    }
}

#[tokio::test]
async fn a_loss_that_no_failure_has_told_of_is_noticed_before_anything_is_marked() {
    let testbed = Testbed::new();
    let database = testbed.database("room.db").await;
    let (first, second) = (testbed.bus("first.db").await, testbed.bus("second.db").await);
    let switch = Arc::new(Switch::default());
    switch.to(Some(&first));
    let bus: SharedBus = switch.clone();
    let sent = events("room", 10);
    commit(&database, &sent).await;
    let mut relay = relay(&database, &bus, &Clock::system());
    relay.publish_batch().await.unwrap();

    without_its_tail(&second, &sent, 4).await;
    switch.to(Some(&second));
    commit(&database, &[event("room", 11)]).await;
    assert!(matches!(relay.publish_batch().await, Err(RelayError::Lost)));
    assert_eq!(unpublished(&database).await, 1, "nothing is marked in between");
    assert_eq!(relay.publish_batch().await.unwrap(), 7);
    assert_eq!(unpublished(&database).await, 0);
    let mut heard = hear_from(&second, "jumak.room.>").await;
    heard.sort_unstable();
    assert!(heard.into_iter().eq(1..=11), "each is in the stream, and once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_publish_each_event_once_for_the_consumer() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let wirings = [wiring(&bus), wiring(&bus)];
    for wiring in &wirings {
        start("room", database.clone(), wiring);
    }
    let events = events("room", 600);
    for chunk in events.chunks(20) {
        commit(&database, chunk).await;
    }
    eventually("everything is marked", async || unpublished(&database).await == 0).await;
    let mut heard = hear(&bus).await;
    heard.sort_unstable();
    assert!(heard.into_iter().eq(1..=600));
    for wiring in &wirings {
        wiring.background.drain(POLL).await;
    }
}

#[tokio::test]
async fn a_drain_publishes_what_was_committed_before() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("room.db").await, testbed.bus("bus.db").await);
    let wiring = wiring(&bus);
    start("room", database.clone(), &wiring);
    commit(&database, &events("room", 700)).await;
    wiring.background.drain(Duration::from_secs(20)).await;
    assert_eq!(unpublished(&database).await, 0);
    assert_eq!(hear(&bus).await.len(), 700);
}

#[tokio::test]
async fn a_bus_that_does_not_answer_does_not_keep_a_process_that_stops() {
    let testbed = Testbed::new();
    let database = testbed.database("room.db").await;
    commit(&database, &events("room", 5)).await;
    let switch = Arc::new(Switch { hangs: true, ..Switch::default() });
    let (relay, stop) = (relay(&database, &(switch.clone() as SharedBus), &Clock::system()), CancellationToken::new());
    let running = tokio::spawn(Relay { flush: Duration::from_millis(20), ..relay }.run(stop.clone()));
    eventually("a batch is under way", async || switch.failures.load(Ordering::SeqCst) > 0).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends").unwrap();
    assert_eq!(unpublished(&database).await, 5);
}

/// A bus that can be taken away and replaced by another one.
#[derive(Default)]
struct Switch {
    bus: Mutex<Option<SharedBus>>,
    failures: AtomicU32,
    /// It takes every event but these. Like a broker that names one route at a time it names the first that it is given.
    refuses: Mutex<Vec<Uuid>>,
    /// What is published is never answered.
    hangs: bool,
    /// What is published takes that long, by that clock, and another relay looks what there is for it in the meantime.
    slow: Option<(Database, Clock, SignedDuration)>,
}

impl Switch {
    fn to(&self, bus: Option<&SharedBus>) {
        *self.bus.lock().unwrap() = bus.cloned();
    }

    fn refuse(&self, events: &[Event]) {
        *self.refuses.lock().unwrap() = ids(events);
    }

    fn beside_another(database: &Database, bus: &SharedBus, clock: &Clock, takes: SignedDuration) -> SharedBus {
        let slow = Some((database.clone(), clock.clone(), takes));
        let switch = Self { slow, ..Self::default() };
        switch.to(Some(bus));
        Arc::new(switch)
    }

    fn bus(&self) -> Result<SharedBus, BusError> {
        let bus = self.bus.lock().unwrap().clone();
        bus.ok_or_else(|| {
            self.failures.fetch_add(1, Ordering::SeqCst);
            BusError::new("anything", "it was taken away")
        })
    }
}

#[async_trait]
impl Bus for Switch {
    fn system(&self) -> &'static str {
        "switch"
    }

    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError> {
        if self.hangs {
            self.failures.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        let refused = ids(events).into_iter().find(|id| self.refuses.lock().unwrap().contains(id));
        if let Some(id) = refused {
            return Err(BusError::new("publish", "it is too large").refusing(vec![id]));
        }
        if let Some((database, clock, takes)) = &self.slow {
            clock.advance(*takes);
            relay(database, &self.bus()?, clock).publish_batch().await.unwrap();
        }
        self.bus()?.publish(events).await
    }

    async fn holds(&self, position: Position, event: Uuid) -> Result<bool, BusError> {
        self.bus()?.holds(position, event).await
    }

    async fn newest(&self, context: &str) -> Result<Option<Uuid>, BusError> {
        self.bus()?.newest(context).await
    }

    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError> {
        self.bus()?.subscribe(spec).await
    }

    async fn forget(&self, consumer: &str) -> Result<(), BusError> {
        self.bus()?.forget(consumer).await
    }

    async fn pending(&self, consumer: &str) -> Result<u64, BusError> {
        self.bus()?.pending(consumer).await
    }

    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError> {
        self.bus()?.dead_letters(limit).await
    }

    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError> {
        self.bus()?.replay_dead_letters(consumer).await
    }
}
