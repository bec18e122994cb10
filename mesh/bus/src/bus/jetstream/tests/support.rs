//! What the tests stand on: a server, a bus on it, and a context that has one effect for each event.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mesh_foundation::{background::Backoff, error::Error, event::Event};
use mesh_store::{
    db::{Database, Tx},
    outbox,
    store::entity::outbox as rows,
};
use mesh_testing::event;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use servers::{Nats, NatsOptions};

use crate::{
    bus::{
        Bus, BusError,
        jetstream::{JetStreamBus, layout},
    },
    config::BusConfig,
    consumer::Timing,
    policies::{Handled, Hears, Policies},
};

/// Long enough never to be reached but by what does not come at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// As in production, but in a hurry.
pub(super) const TIMING: Timing = Timing {
    ack_wait: Duration::from_secs(2),
    outage: Backoff::new(Duration::from_millis(10), Duration::from_millis(200)),
    retry: Duration::from_millis(10),
};

pub(super) async fn server() -> Nats {
    Nats::start(NatsOptions::default()).await.unwrap()
}

pub(super) fn config(nats: &Nats) -> BusConfig {
    BusConfig { url: Some(nats.url()), ..BusConfig::default() }
}

/// A bus that answers.
pub(super) async fn connect(nats: &Nats, client: &str) -> JetStreamBus {
    connect_with(&config(nats), client).await
}

pub(super) async fn connect_with(config: &BusConfig, client: &str) -> JetStreamBus {
    let bus = JetStreamBus::connect(config, client).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = bus.ready().await {
        assert!(Instant::now() < deadline, "{}", chain(&error));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bus
}

/// Waits until `condition` holds, and fails if it never does.
pub(super) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How often each event is in the stream, by its id.
pub(super) async fn stored(bus: &JetStreamBus) -> HashMap<String, u32> {
    let stream = bus.0.context().get_stream(layout::STREAM).await.unwrap();
    let state = &stream.cached_info().state;
    let mut stored = HashMap::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let id = message.headers.get("ce-id").unwrap().to_string();
        *stored.entry(id).or_default() += 1;
    }
    stored
}

/// That each of `events` is in the stream, once, and nothing else.
pub(super) async fn assert_holds_exactly(bus: &JetStreamBus, events: &[Event]) {
    let stored = stored(bus).await;
    for event in events {
        assert_eq!(stored.get(&event.id.to_string()), Some(&1), "event {}", event.subject);
    }
    assert_eq!(stored.len(), events.len());
}

pub(super) async fn unpublished(database: &Database) -> u64 {
    rows::Entity::find().filter(rows::Column::PublishTime.is_null()).count(database.read()).await.unwrap()
}

pub(super) async fn is_settled(bus: &dyn Bus, consumer: &str) -> bool {
    bus.pending(consumer).await.is_ok_and(|pending| pending == 0)
}

/// Whether so many events have had an effect and nothing is left. Both, because the broker has a moment in which it knows a consumer
/// that it has just made, and does not know yet what that has to hear.
pub(super) async fn has_settled(bus: &dyn Bus, consumer: &str, database: &Database, events: usize) -> bool {
    effects(database).await.len() >= events && is_settled(bus, consumer).await
}

/// How often each event has had its effect, by the event's id.
pub(super) async fn effects(database: &Database) -> HashMap<String, u32> {
    let causes: Vec<Option<String>> = rows::Entity::find()
        .select_only()
        .column(rows::Column::CausationId)
        .into_tuple()
        .all(database.read())
        .await
        .unwrap();
    let mut effects = HashMap::new();
    for cause in causes.into_iter().flatten() {
        *effects.entry(cause).or_default() += 1;
    }
    effects
}

/// That each of `events` has had its effect once, and nothing else has had one.
pub(super) async fn assert_one_effect_each(database: &Database, events: &[Event]) {
    let effects = effects(database).await;
    for event in events {
        assert_eq!(effects.get(&event.id.to_string()), Some(&1), "effects of {}", event.subject);
    }
    assert_eq!(effects.len(), events.len());
}

/// Whenever anything is heard from room, then it has an effect; unless `refuses` says that it cannot be.
pub(super) struct Effects<F>(pub F);

#[async_trait]
impl<F> Policies for Effects<F>
where
    F: Fn(&Event) -> bool + Send + Sync + 'static,
{
    async fn handle(&self, tx: &Tx, heard: &Event) -> Result<Handled, Error> {
        if (self.0)(heard) {
            return Err(Error::Internal("it cannot be".to_owned()));
        }
        let effect = event("effect", 1);
        let (subject, causation_id) = (effect.id.to_string(), Some(heard.id.to_string()));
        outbox::append(tx, Event { subject, causation_id, ..effect }).await?;
        Ok(Handled::Done)
    }
}

pub(super) fn hears(refuses: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Hears {
    Hears {
        filters: vec!["jumak.room.>".to_owned()],
        policies: std::sync::Arc::new(Effects(refuses)),
        projection: false,
    }
}

/// The error and all its causes.
pub(super) fn chain(error: &BusError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
