mod losses;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use mesh_store::{
    db::StoreError,
    outbox,
    store::entity::{failure, outbox as effect},
};
use mesh_testing::{event, events, eventually};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, RuntimeErr, sqlx};

use super::*;
use crate::testbed::{Testbed, wiring};

const TIMING: Timing = Timing {
    ack_wait: Duration::from_secs(2),
    outage: Backoff::new(Duration::from_millis(1), Duration::from_millis(20)),
    retry: Duration::from_millis(10),
};

/// Has one effect for each event that it is given, unless told to do something else first.
struct Effects<F>(F);

#[async_trait]
impl<F> Policies for Effects<F>
where
    F: Fn(&Event) -> Result<Handled, Error> + Send + Sync + 'static,
{
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        // The effect is a row, so that it is counted as often as it is committed; and it is there before the policy fails.
        let effect = mesh_testing::event("effect", 1);
        outbox::append(
            tx,
            Event { subject: effect.id.to_string(), causation_id: Some(event.id.to_string()), ..effect },
        )
        .await?;
        (self.0)(event)
    }
}

fn hears<F>(policy: F) -> Hears
where
    F: Fn(&Event) -> Result<Handled, Error> + Send + Sync + 'static,
{
    Hears { filters: vec!["jumak.room.>".to_owned()], policies: Arc::new(Effects(policy)), projection: false }
}

async fn effects(database: &Database, of: &Event) -> u64 {
    effect::Entity::find()
        .filter(effect::Column::CausationId.eq(of.id.to_string()))
        .count(database.read())
        .await
        .unwrap()
}

async fn assert_one_effect_each(database: &Database, events: &[Event]) {
    for event in events {
        assert_eq!(effects(database, event).await, 1, "effects of {}", event.subject);
    }
}

async fn is_settled(bus: &SharedBus, consumer: &str) -> bool {
    bus.pending(consumer).await.is_ok_and(|pending| pending == 0)
}

async fn failures(database: &Database) -> u64 {
    failure::Entity::find().count(database.read()).await.unwrap()
}

fn unavailable() -> Error {
    Error::Store(StoreError::Unavailable(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)))
}

#[tokio::test]
async fn an_event_delivered_twice_has_its_effect_once() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 3));
    bus.publish(&sent).await.unwrap();

    // A member that dies between its commit and its acknowledgement.
    let hears = hears(|_| Ok(Handled::Done));
    let spec = ConsumerSpec { name: "stay".to_owned(), filters: hears.filters.clone(), ack_wait: TIMING.ack_wait };
    let mut dies = bus.subscribe(spec).await.unwrap();
    let taken = dies.fetch(2, FETCH_WAIT).await.unwrap();
    let consumer = Consumer {
        name: "stay".to_owned(),
        filters: hears.filters.clone(),
        policies: hears.policies.clone(),
        database: database.clone(),
        bus: bus.clone(),
        clock: Clock::system(),
        timing: TIMING,
        labels: [KeyValue::new("context", "stay")],
        gap: AtomicI64::new(0),
    };
    for delivery in &taken {
        let event = Event::from_parts(&delivery.route, &delivery.headers, delivery.data.clone()).unwrap();
        consumer.handle(&[Heard { handle: delivery.handle, deliveries: 1, event }]).await.unwrap();
    }
    drop((dies, consumer));
    assert_eq!(bus.pending("stay").await.unwrap(), 3);

    start_at(TIMING, "stay", database.clone(), hears, &wiring).await.unwrap();
    eventually("everything is acknowledged", async || is_settled(&bus, "stay").await).await;
    assert_one_effect_each(&database, &sent).await;
    wiring.background.drain(TIMING.ack_wait).await;
}

/// Handles one of its events only in a transaction of its own.
struct Apart(uuid::Uuid, AtomicU32);

#[async_trait]
impl Policies for Apart {
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        if event.id == self.0 && tx.is_shared() {
            self.1.fetch_add(1, Ordering::SeqCst);
            return Err(Error::Apart);
        }
        Effects(|_: &Event| Ok(Handled::Done)).handle(tx, event).await
    }
}

#[tokio::test]
async fn an_event_that_needs_a_transaction_of_its_own_gets_one_and_has_not_failed() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 10));
    bus.publish(&sent).await.unwrap();
    let policies = Arc::new(Apart(sent[4].id, AtomicU32::new(0)));
    let hears = Hears { policies: policies.clone(), ..hears(|_| Ok(Handled::Done)) };
    start_at(TIMING, "stay", database.clone(), hears, &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;

    assert_eq!(policies.1.load(Ordering::SeqCst), 1, "it came with others");
    assert_one_effect_each(&database, &sent).await;
    assert_eq!((failures(&database).await, bus.dead_letters(10).await.unwrap().len()), (0, 0));
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn a_poison_event_is_put_aside_and_the_others_are_unharmed() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 10));
    bus.publish(&sent).await.unwrap();
    let cured = Arc::new(AtomicBool::new(false));
    let policy = {
        let (poison, cured) = (sent[4].id, cured.clone());
        move |event: &Event| {
            if event.id == poison && !cured.load(Ordering::SeqCst) {
                return Err(Error::Internal("it cannot be".to_owned()));
            }
            Ok(Handled::Done)
        }
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;

    let letters = bus.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].delivery.data, sent[4].data);
    assert_eq!(letters[0].delivery.deliveries, MAX_FAILURES);
    assert_eq!(letters[0].reason, "failed 5 times: internal: it cannot be");
    assert_eq!(effects(&database, &sent[4]).await, 0);
    let others: Vec<Event> = sent.iter().filter(|event| event.id != sent[4].id).cloned().collect();
    assert_one_effect_each(&database, &others).await;

    cured.store(true, Ordering::SeqCst);
    assert_eq!(bus.replay_dead_letters("stay").await.unwrap(), 1);
    eventually("the replay is settled", async || is_settled(&bus, "stay").await).await;
    assert_one_effect_each(&database, &sent).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
    wiring.background.drain(TIMING.ack_wait).await;
    assert_eq!(failures(&database).await, 0);
}

#[tokio::test]
async fn a_forged_id_hides_no_event_of_another_context() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("payment", 3));
    let forged: Vec<Event> = sent.iter().map(|sent| Event { id: sent.id, ..event("room", 1) }).collect();
    bus.publish(&forged).await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let policy = {
        let heard = heard.clone();
        move |event: &Event| {
            heard.lock().unwrap().push(event.clone());
            Ok(Handled::Done)
        }
    };
    let hears = Hears { filters: vec!["jumak.>".to_owned()], ..hears(policy) };
    start_at(TIMING, "stay", database.clone(), hears, &wiring).await.unwrap();
    eventually("the forged ones are settled", async || is_settled(&bus, "stay").await).await;
    bus.publish(&sent).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert_eq!(*heard.lock().unwrap(), [forged, sent].concat());
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn a_policy_that_panics_costs_its_event_and_nothing_else() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 3));
    bus.publish(&sent).await.unwrap();
    let poison = sent[1].id;
    let policy = move |event: &Event| {
        assert_ne!(event.id, poison, "a policy has a mistake");
        Ok(Handled::Done)
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    let letters = bus.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "failed 5 times: internal: a policy panicked");
    assert_eq!(effects(&database, &sent[1]).await, 0);
    assert_one_effect_each(&database, &[sent[0].clone(), sent[2].clone()]).await;
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_at_once() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let wiring = wiring(&bus);
    let mut sent = events("room", 3);
    sent[1].source = "payment".to_owned();
    bus.publish(&sent).await.unwrap();
    start_at(TIMING, "stay", database.clone(), hears(|_| Ok(Handled::Done)), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    let letters = bus.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.starts_with("undecodable: published on jumak.room.v1."), "{}", letters[0].reason);
    assert_eq!(letters[0].delivery.deliveries, 1);
    assert_one_effect_each(&database, &[sent[0].clone(), sent[2].clone()]).await;
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn an_outage_of_the_database_counts_against_no_event() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 3));
    bus.publish(&sent).await.unwrap();
    let outages = Arc::new(AtomicU32::new(0));
    let policy = {
        let (victim, outages) = (sent[1].id, outages.clone());
        move |event: &Event| {
            if event.id == victim && outages.fetch_add(1, Ordering::SeqCst) < 3 * MAX_FAILURES {
                return Err(unavailable());
            }
            Ok(Handled::Done)
        }
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
    assert_one_effect_each(&database, &sent).await;
    assert_eq!(failures(&database).await, 0);
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn an_event_with_which_the_database_is_always_too_slow_or_loses_is_put_aside() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 4));
    bus.publish(&sent).await.unwrap();
    let policy = {
        let (cut_off, loses) = (sent[1].id, sent[2].id);
        move |event: &Event| {
            let cause = || DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Protocol("cut off".to_owned()))));
            match event.id {
                id if id == cut_off => Err(Error::Store(StoreError::Unavailable(cause()))),
                id if id == loses => Err(Error::Store(StoreError::Conflict(cause()))),
                _ => Ok(Handled::Done),
            }
        }
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert_eq!(bus.dead_letters(10).await.unwrap().len(), 2);
    assert_one_effect_each(&database, &[sent[0].clone(), sent[3].clone()]).await;
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn a_failure_that_cannot_even_be_written_down_counts_against_no_event() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 3));
    bus.publish(&sent).await.unwrap();
    // Read-only, full, half shut down: whatever the database says, it takes no row.
    let engine = servers::engine::Engine::chosen().unwrap();
    database.for_migrations().execute_unprepared(&engine.to_refuse("INSERT", "failure")).await.unwrap();
    let (calls, full) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(true)));
    let policy = {
        let (calls, full) = (calls.clone(), full.clone());
        move |_: &Event| {
            calls.fetch_add(1, Ordering::SeqCst);
            let refused = || Error::Store(StoreError::Other(DbErr::Custom("full".to_owned())));
            if full.load(Ordering::SeqCst) { Err(refused()) } else { Ok(Handled::Done) }
        }
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("it is tried again and again", async || calls.load(Ordering::SeqCst) > 3 * MAX_FAILURES).await;
    assert_eq!(bus.pending("stay").await.unwrap(), 3);
    database.for_migrations().execute_unprepared(&engine.to_refuse_no_more("failure")).await.unwrap();
    full.store(false, Ordering::SeqCst);
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
    assert_one_effect_each(&database, &sent).await;
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn a_policy_that_lost_to_another_transition_decides_anew() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let (wiring, sent) = (wiring(&bus), events("room", 2));
    bus.publish(&sent).await.unwrap();
    let lost = AtomicU32::new(0);
    let policy = move |_: &Event| match lost.fetch_add(1, Ordering::SeqCst) {
        0..MAX_LOST => Err(Error::Lost),
        _ => Ok(Handled::Done),
    };
    start_at(TIMING, "stay", database.clone(), hears(policy), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert_one_effect_each(&database, &sent).await;
    assert_eq!(failures(&database).await, 0);
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn an_unknown_event_is_acknowledged() {
    let testbed = Testbed::new();
    let (database, bus) = (testbed.database("stay.db").await, testbed.bus("bus.db").await);
    let wiring = wiring(&bus);
    bus.publish(&events("room", 3)).await.unwrap();
    bus.publish(&[event("payment", 1)]).await.unwrap();
    start_at(TIMING, "stay", database.clone(), hears(|_| Ok(Handled::Unknown)), &wiring).await.unwrap();
    eventually("everything is settled", async || is_settled(&bus, "stay").await).await;
    assert!(bus.dead_letters(10).await.unwrap().is_empty());
    wiring.background.drain(TIMING.ack_wait).await;
}

#[tokio::test]
async fn a_projection_with_a_new_database_hears_everything_again() {
    let testbed = Testbed::new();
    let bus = testbed.bus("bus.db").await;
    let sent = events("room", 20);
    bus.publish(&sent).await.unwrap();
    let mut names = Vec::new();
    for file in ["old.db", "new.db"] {
        let (database, wiring) = (testbed.database(file).await, wiring(&bus));
        let hears = Hears { projection: true, ..hears(|_| Ok(Handled::Done)) };
        let name = durable_name("mypage", &database, &hears).await.unwrap();
        start_at(TIMING, "mypage", database.clone(), hears, &wiring).await.unwrap();
        eventually("everything is settled", async || is_settled(&bus, &name).await).await;
        assert_one_effect_each(&database, &sent).await;
        wiring.background.drain(TIMING.ack_wait).await;
        names.push(name);
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn the_inbox_forgets_what_was_handled_long_ago_and_nothing_else() {
    let testbed = Testbed::new();
    let database = testbed.database("stay.db").await;
    let (old, new) = (mesh_foundation::clock::from_micros(1_000), mesh_foundation::clock::from_micros(2_000));
    database
        .transact("handle", |tx| async move {
            for at in [old, new] {
                for event in events("room", 1_500) {
                    assert!(inbox::is_new(&tx, "stay", event.key(), at).await?);
                }
            }
            Ok(())
        })
        .await
        .unwrap();
    let mut forgotten = 0;
    loop {
        let now = database.transact("forget", |tx| async move { inbox::forget(&tx, new).await }).await.unwrap();
        if now == 0 {
            break;
        }
        forgotten += now;
    }
    assert_eq!(forgotten, 1_500);
}
