//! Reads the unhandled messages from the bus's file while a process uses it. For audits, because opening the bus itself would end the
//! leases of the running process.

use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};

use super::{
    SCAN,
    entity::{consumer, dead_letter, message, pending},
    from_json,
    hub::is_heard,
};
use uuid::Uuid;

use mesh_foundation::{clock::from_micros, error::Error, event::Event};
use mesh_store::db::Database;

/// How far behind one consumer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The consumer's name.
    pub consumer: String,
    /// How many messages match its filters and are not acknowledged.
    pub waiting: u64,
    /// When the oldest of those was published.
    pub oldest: Option<Timestamp>,
    /// The reasons of its dead letters, the oldest first.
    pub dead_letters: Vec<String>,
}

/// How far behind each consumer of the bus in that file is.
pub async fn backlogs(database: &Database) -> Result<Vec<Backlog>, Error> {
    let mut backlogs = Vec::new();
    for known in consumer::Entity::find().order_by_asc(consumer::Column::Name).all(database.read()).await? {
        let mut publish_times = delivered(database, &known.name).await?;
        publish_times.extend(undelivered(database, &known).await?);
        backlogs.push(Backlog {
            waiting: publish_times.len() as u64,
            oldest: publish_times.into_iter().min().map(from_micros),
            dead_letters: buried(database, &known.name).await?,
            consumer: known.name,
        });
    }
    Ok(backlogs)
}

/// The id of the newest event of `context` that the bus in that file holds.
pub async fn newest(database: &Database, context: &str) -> Result<Option<Uuid>, Error> {
    let newest = message::Entity::find()
        .filter(message::Column::Route.starts_with(format!("jumak.{context}.")))
        .order_by_desc(message::Column::Seq)
        .one(database.read())
        .await?;
    let Some(newest) = newest else { return Ok(None) };
    let headers: Vec<(String, String)> = from_json(&newest.headers)?;
    let event = Event::from_parts(&newest.route, &headers, newest.data);
    Ok(event.ok().map(|event| event.id))
}

/// The publication times of the messages that were delivered to the consumer and not acknowledged.
async fn delivered(database: &Database, consumer: &str) -> Result<Vec<i64>, Error> {
    let given = Query::select()
        .column(pending::Column::Seq)
        .from(pending::Entity)
        .and_where(pending::Column::Consumer.eq(consumer))
        .to_owned();
    let times = message::Entity::find()
        .select_only()
        .column(message::Column::PublishTime)
        .filter(message::Column::Seq.in_subquery(given))
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(times)
}

/// The publication times of the messages that match the consumer's filters and were not delivered yet.
async fn undelivered(database: &Database, consumer: &consumer::Model) -> Result<Vec<i64>, Error> {
    let filters: Vec<String> = from_json(&consumer.filters)?;
    let (mut times, mut from) = (Vec::new(), consumer.next_seq);
    loop {
        let page: Vec<(i64, String, i64)> = message::Entity::find()
            .select_only()
            .columns([message::Column::Seq, message::Column::Route, message::Column::PublishTime])
            .filter(message::Column::Seq.gte(from))
            .order_by_asc(message::Column::Seq)
            .limit(SCAN)
            .into_tuple()
            .all(database.read())
            .await?;
        let Some((last, ..)) = page.last() else { return Ok(times) };
        from = last + 1;
        times.extend(page.iter().filter(|(_, route, _)| is_heard(&filters, route)).map(|(.., time)| time));
    }
}

async fn buried(database: &Database, consumer: &str) -> Result<Vec<String>, Error> {
    let reasons = dead_letter::Entity::find()
        .select_only()
        .column(dead_letter::Column::Reason)
        .filter(dead_letter::Column::Consumer.eq(consumer))
        .order_by_asc(dead_letter::Column::Seq)
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_foundation::clock::Clock;
    use mesh_testing::events;

    use super::*;
    use crate::bus::{Bus, ConsumerSpec, embedded::EmbeddedBus};

    #[tokio::test]
    async fn a_backlog_counts_unacknowledged_messages_and_reading_it_disturbs_no_member() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus.db");
        let bus = EmbeddedBus::open(&path).await.unwrap();
        let filters = vec!["jumak.room.>".to_owned()];
        let spec = ConsumerSpec { name: "hearer".to_owned(), filters, ack_wait: Duration::from_secs(60) };
        let mut member = bus.subscribe(spec).await.unwrap();
        let reader = Database::open_file_to_read(&path, 1).await.unwrap();
        let backlog = async || backlogs(&reader).await.unwrap().remove(0);
        assert_eq!((backlog().await.waiting, backlog().await.oldest), (0, None));

        let before = Clock::system().now();
        bus.publish(&events("room", 5)).await.unwrap();
        bus.publish(&events("payment", 3)).await.unwrap();
        let seen = backlog().await;
        assert_eq!((seen.consumer.as_str(), seen.waiting), ("hearer", 5));
        assert!(seen.oldest.is_some_and(|oldest| oldest >= before));

        let delivered = member.fetch(3, Duration::ZERO).await.unwrap();
        assert_eq!(backlog().await.waiting, 5, "what is delivered is not handled");
        member.ack(&[delivered[0].handle]).await.unwrap();
        member.dead_letter(delivered[1].handle, "it does not decode").await.unwrap();
        let seen = backlog().await;
        assert_eq!((seen.waiting, seen.dead_letters), (3, vec!["it does not decode".to_owned()]));
        assert_eq!(member.fetch(5, Duration::ZERO).await.unwrap().len(), 2, "a delivery is still this member's");
    }
}
