//! How fast events pass through the embedded bus, and from one context's outbox to another's effect. `make bench` runs it;
//! docs/performance.md says how to read it.

// The futures of `main` are deep.
#![recursion_limit = "256"]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mesh::{
    Clock, Database, Error, Event, Tx,
    background::Background,
    bus::{Bus, ConsumerSpec, SharedBus, Subscription, embedded::EmbeddedBus},
    consumer,
    context::{Handled, Hears, Policies, Wiring},
    outbox, output, relay,
    store::{self, MigrationTrait, MigratorTrait, entity},
};
use sea_orm::{EntityTrait, PaginatorTrait};
use tokio::time::timeout;
use uuid::Uuid;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Events that go through the bus.
const MESSAGES: u64 = 50_000;
/// Events that go the whole way.
const EVENTS: u64 = 20_000;
/// Events of which each is timed alone.
const TIMED: u64 = 200;

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome {
    publishing().await?;
    publishing_beside_a_consumer().await?;
    the_whole_way().await
}

async fn publishing() -> Outcome {
    for at_once in [1, 16, 256] {
        let folder = tempfile::tempdir()?;
        let bus = EmbeddedBus::open(&folder.path().join("bus.db")).await?;
        let sent = events(1..=(at_once as u64 * 1_000).min(MESSAGES));
        let begun = Instant::now();
        for chunk in sent.chunks(at_once) {
            bus.publish(chunk).await?;
        }
        rate(&format!("publish, {at_once} at once"), sent.len() as u64, begun);
    }
    Ok(())
}

async fn publishing_beside_a_consumer() -> Outcome {
    let folder = tempfile::tempdir()?;
    let bus = EmbeddedBus::open(&folder.path().join("bus.db")).await?;
    let sent = events(1..=MESSAGES);
    let filters = vec!["jumak.>".to_owned()];
    let spec = ConsumerSpec { name: "hearer".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let member = bus.subscribe(spec).await?;
    let begun = Instant::now();
    let hearing = tokio::spawn(hear_all(member));
    for chunk in sent.chunks(256) {
        bus.publish(chunk).await?;
    }
    hearing.await??;
    rate("publish, fetch and acknowledge side by side", MESSAGES, begun);
    Ok(())
}

async fn hear_all(mut member: Box<dyn Subscription>) -> Outcome {
    let mut heard = 0;
    while heard < MESSAGES {
        let batch = member.fetch(100, Duration::from_secs(10)).await?;
        heard += batch.len() as u64;
        let handles: Vec<u64> = batch.iter().map(|delivery| delivery.handle).collect();
        member.ack(&handles).await?;
    }
    Ok(())
}

async fn the_whole_way() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (room, stay) = (database(folder.path(), "room").await?, database(folder.path(), "stay").await?);
    let bus: SharedBus = Arc::new(EmbeddedBus::open(&folder.path().join("bus.db")).await?);
    let wiring = Wiring { bus, background: Background::new(), clock: Clock::system() };
    for chunk in events(1..=EVENTS).chunks(1_000) {
        commit(&room, chunk).await?;
    }
    let begun = Instant::now();
    relay::start("room", room.clone(), &wiring);
    let hears = Hears { filters: vec!["jumak.room.>".to_owned()], policies: Arc::new(Effect), projection: false };
    consumer::start("stay", stay.clone(), hears, &wiring).await?;
    while entity::outbox::Entity::find().count(stay.read()).await? < EVENTS {
        timeout(Duration::from_millis(5), stay.outbox_appended()).await.ok();
    }
    rate("outbox, relay, bus, consumer, effect", EVENTS, begun);

    let mut waits = Vec::new();
    for sequence in EVENTS + 1..=EVENTS + TIMED {
        // The effect is an event as well, and its commit wakes whoever waits for one.
        while timeout(Duration::from_millis(20), stay.outbox_appended()).await.is_ok() {}
        let begun = Instant::now();
        commit(&room, &events(sequence..=sequence)).await?;
        stay.outbox_appended().await;
        waits.push(begun.elapsed());
    }
    waits.sort();
    let share = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    output::line(format_args!(
        "one event, from before its commit to its effect: p50 {:.1?}, p99 {:.1?}",
        share(50),
        share(99)
    ))?;
    wiring.background.drain(Duration::from_secs(5)).await;
    Ok(())
}

/// Whenever anything is heard, then an event is committed.
struct Effect;

#[async_trait]
impl Policies for Effect {
    async fn handle(&self, tx: &Tx, heard: &Event) -> Result<Handled, Error> {
        let effect = Event { id: Uuid::now_v7(), subject: heard.id.to_string(), ..heard.clone() };
        outbox::append(tx, effect).await?;
        Ok(Handled::Done)
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        store::migrations()
    }
}

async fn database(folder: &Path, context: &str) -> Result<Database, Error> {
    let database = Database::open_file(&folder.join(format!("{context}.db")), 4).await?;
    store::migrate(&database, &Migrator).await?;
    Ok(database)
}

async fn commit(database: &Database, events: &[Event]) -> Result<(), Error> {
    let append = |tx: Tx| async move {
        for event in events {
            outbox::append(&tx, event.clone()).await?;
        }
        Ok(())
    };
    database.transact("commit", append).await
}

fn events(sequences: impl Iterator<Item = u64>) -> Vec<Event> {
    let event = |sequence: u64| Event {
        id: Uuid::now_v7(),
        kind: "jumak.room.v1.RoomUpdated".to_owned(),
        source: "room".to_owned(),
        subject: format!("rooms/{sequence}"),
        route: "jumak.room.v1.room.updated".to_owned(),
        time: Clock::system().now(),
        correlation_id: "case".to_owned(),
        causation_id: None,
        actor: "users/alice".to_owned(),
        sequence,
        traceparent: None,
        data: sequence.to_be_bytes().to_vec(),
    };
    sequences.map(event).collect()
}

fn rate(what: &str, count: u64, begun: Instant) {
    drop(output::line(format_args!("{what}: {:.0}/s", count as f64 / begun.elapsed().as_secs_f64())));
}
