//! What a bus does that has lost something, or cannot store something.

use mesh_store::{
    db::Database,
    store::entity::{outbox, place},
};

use super::*;
use crate::{
    bus::{Bus, DeadLetter, Position, embedded::EmbeddedBus},
    relay,
    testbed::commit,
};

#[tokio::test]
async fn a_consumer_whose_stream_has_lost_its_tail_hears_what_came_there_instead() {
    let testbed = Testbed::new();
    let database = testbed.database("stay.db").await;
    let (first, second) = (testbed.bus("first.db").await, testbed.bus("second.db").await);
    let sent = events("room", 5);
    first.publish(&sent).await.unwrap();
    let before = wiring(&first);
    start_at(TIMING, "stay", database.clone(), hears(|_| Ok(Handled::Done)), &before).await.unwrap();
    eventually("everything is settled", async || is_settled(&first, "stay").await).await;
    before.background.drain(TIMING.ack_wait).await;

    // The consumer is known to have had five; three of the five that are there are others.
    let others: Vec<Event> = (6..=8).map(|sequence| event("room", sequence)).collect();
    second.publish(&[&sent[..2], &others].concat()).await.unwrap();
    let filters = vec!["jumak.room.>".to_owned()];
    let spec = ConsumerSpec { name: "stay".to_owned(), filters, ack_wait: TIMING.ack_wait };
    let mut survivor = second.subscribe(spec).await.unwrap();
    let handles: Vec<u64> = survivor.fetch(10, FETCH_WAIT).await.unwrap().iter().map(|had| had.handle).collect();
    survivor.ack(&handles).await.unwrap();
    drop(survivor);
    assert!(is_settled(&second, "stay").await, "the bus has nothing more for it");

    // As a broker does, which keeps a consumer's place apart from the stream.
    let broker: SharedBus = Arc::new(Refusing { bus: second.clone(), full: Arc::default() });
    let after = wiring(&broker);
    start_at(TIMING, "stay", database.clone(), hears(|_| Ok(Handled::Done)), &after).await.unwrap();
    let all = [sent, others].concat();
    eventually("the others are heard", async || effects(&database, &all[7]).await > 0).await;
    eventually("everything is settled", async || is_settled(&second, "stay").await).await;
    assert_one_effect_each(&database, &all).await;
    after.background.drain(TIMING.ack_wait).await;
}

/// A power cut takes what the disk had not been told to keep: the tail of the stream, and how far consumers had come in it.
#[tokio::test]
async fn what_power_cuts_take_of_the_stream_is_published_and_heard_again_and_has_no_second_effect() {
    const CUTS: u64 = 4;
    let (testbed, folder) = (Testbed::new(), tempfile::tempdir().unwrap());
    let (room, stay) = (testbed.database("room.db").await, testbed.database("stay.db").await);
    let file = |life: u64| folder.path().join(format!("bus-{life}.db"));
    let mut all = Vec::new();
    for life in 0..CUTS {
        let bus: SharedBus = Arc::new(EmbeddedBus::open(&file(life)).await.unwrap());
        let wiring = wiring(&bus);
        relay::start("room", room.clone(), &wiring);
        start_at(TIMING, "stay", stay.clone(), hears(|_| Ok(Handled::Done)), &wiring).await.unwrap();
        for _ in 0..8 {
            all.push(event("room", all.len() as u64 + 1));
            commit(&room, &all[all.len() - 1..]).await;
        }
        eventually("all of it is in the stream", async || {
            let held = futures::future::join_all(all.iter().map(|event| holds(&bus, &room, event))).await;
            held.into_iter().all(|held| held)
        })
        .await;
        eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
        assert_one_effect_each(&stay, &all).await;
        wiring.background.drain(TIMING.ack_wait).await;

        let log = |life| folder.path().join(format!("bus-{life}.db-wal"));
        let kept = std::fs::read(log(life)).unwrap();
        let kept = &kept[..kept.len() * usize::try_from(life + 1).unwrap() / usize::try_from(CUTS + 1).unwrap()];
        std::fs::write(log(life + 1), kept).unwrap();
        std::fs::copy(file(life), file(life + 1)).unwrap();
    }
}

/// The inbox knows an event for 30 days only: a consumer that began at the oldest event would handle all older ones a second time.
#[tokio::test]
async fn after_a_power_cut_a_consumer_goes_on_at_the_place_that_was_kept_with_the_stream() {
    let (testbed, folder) = (Testbed::new(), tempfile::tempdir().unwrap());
    let stay = testbed.database("stay.db").await;
    let file = |name: &str| folder.path().join(name);
    let sent = events("room", 10);
    let (kept, lost) = sent.split_at(5);

    let bus: SharedBus = Arc::new(EmbeddedBus::open(&file("bus.db")).await.unwrap());
    let before = wiring(&bus);
    start_at(TIMING, "stay", stay.clone(), hears(|_| Ok(Handled::Done)), &before).await.unwrap();
    bus.publish(kept).await.unwrap();
    eventually("the first ones are settled", async || is_settled(&bus, "stay").await).await;
    // All that the disk keeps.
    for end in ["", "-wal"] {
        std::fs::copy(file(&format!("bus.db{end}")), file(&format!("kept.db{end}"))).unwrap();
    }
    let then = Clock::system().now();
    bus.publish(lost).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    before.background.drain(TIMING.ack_wait).await;

    let forgotten = stay.transact("forget", |tx| async move { inbox::forget(&tx, then).await }).await.unwrap();
    assert_eq!(forgotten, 5, "the inbox knows those that the bus has lost, and no others");
    let bus: SharedBus = Arc::new(EmbeddedBus::open(&file("kept.db")).await.unwrap());
    let after = wiring(&bus);
    start_at(TIMING, "stay", stay.clone(), hears(|_| Ok(Handled::Done)), &after).await.unwrap();
    eventually("the loss is noticed", async || {
        place::Entity::find_by_id("stay".to_owned()).one(stay.read()).await.unwrap().is_none()
    })
    .await;
    let fresh = event("room", 11);
    // As the relay does.
    bus.publish(&[lost, slice::from_ref(&fresh)].concat()).await.unwrap();
    eventually("the new one is heard", async || effects(&stay, &fresh).await > 0).await;
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert_one_effect_each(&stay, &sent).await;
    after.background.drain(TIMING.ack_wait).await;
}

/// Whether the event is where the outbox says that it is published.
async fn holds(bus: &SharedBus, room: &Database, event: &Event) -> bool {
    let row = outbox::Entity::find_by_id(event.id).one(room.read()).await.unwrap().unwrap();
    match row.stream_position {
        Some(position) => bus.holds(position, event.key()).await.unwrap(),
        None => false,
    }
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_stored_keeps_nothing_else_back() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let full = Arc::new(AtomicBool::new(true));
    let refusing: SharedBus = Arc::new(Refusing { bus: bus.clone(), full: full.clone() });
    let wiring = wiring(&refusing);
    let mut sent = events("room", 4);
    sent[1].source = "payment".to_owned();
    let poison = sent[2].id;
    bus.publish(&sent).await.unwrap();
    let policy = move |event: &Event| {
        if event.id == poison { Err(Error::Internal("it cannot be".to_owned())) } else { Ok(Handled::Done) }
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("the others are settled", async || bus.pending("stay").await.is_ok_and(|pending| pending == 2)).await;
    assert_one_effect_each(&database, &[sent[0].clone(), sent[3].clone()]).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());

    full.store(false, Ordering::SeqCst);
    eventually("they are put aside", async || is_settled(&bus, "stay").await).await;
    assert_eq!(bus.dead_letters(10).await.unwrap().len(), 2);
    wiring.background.drain(TIMING.ack_wait).await;
}

/// A bus that stores no dead letter as long as it is full.
struct Refusing {
    bus: SharedBus,
    full: Arc<AtomicBool>,
}

struct RefusingMember {
    member: Box<dyn Subscription>,
    full: Arc<AtomicBool>,
}

#[async_trait]
impl Bus for Refusing {
    fn system(&self) -> &'static str {
        self.bus.system()
    }

    async fn publish(&self, events: &[Event]) -> Result<Vec<Position>, BusError> {
        self.bus.publish(events).await
    }

    async fn holds(&self, position: Position, event: uuid::Uuid) -> Result<bool, BusError> {
        self.bus.holds(position, event).await
    }

    async fn newest(&self, context: &str) -> Result<Option<uuid::Uuid>, BusError> {
        self.bus.newest(context).await
    }

    async fn subscribe(&self, spec: ConsumerSpec) -> Result<Box<dyn Subscription>, BusError> {
        Ok(Box::new(RefusingMember { member: self.bus.subscribe(spec).await?, full: self.full.clone() }))
    }

    async fn forget(&self, consumer: &str) -> Result<(), BusError> {
        self.bus.forget(consumer).await
    }

    async fn pending(&self, consumer: &str) -> Result<u64, BusError> {
        self.bus.pending(consumer).await
    }

    async fn dead_letters(&self, limit: u64) -> Result<Vec<DeadLetter>, BusError> {
        self.bus.dead_letters(limit).await
    }

    async fn replay_dead_letters(&self, consumer: &str) -> Result<u64, BusError> {
        self.bus.replay_dead_letters(consumer).await
    }
}

#[async_trait]
impl Subscription for RefusingMember {
    async fn fetch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        self.member.fetch(max, wait).await
    }

    async fn ack(&mut self, handles: &[u64]) -> Result<(), BusError> {
        self.member.ack(handles).await
    }

    async fn nak(&mut self, handle: u64, delay: Duration) -> Result<(), BusError> {
        self.member.nak(handle, delay).await
    }

    async fn dead_letter(&mut self, handle: u64, reason: &str) -> Result<(), BusError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(BusError::new("dead letter", "it is full"));
        }
        self.member.dead_letter(handle, reason).await
    }
}
