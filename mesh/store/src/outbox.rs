//! Events that are committed together with their change. The relay publishes them.

use mesh_foundation::{clock::from_micros, error::Error, event::Event};
use sea_orm::ActiveValue::Set;

use crate::{
    db::{Step, Tx},
    store::{
        entity::outbox::{ActiveModel, Model},
        int,
    },
};

/// Adds an event to the transaction. (subject, sequence) is unique: two changes of a resource cannot have the same version.
pub async fn append(tx: &Tx, event: Event) -> Result<(), Error> {
    tx.expect(appended(event)?).await
}

/// The statement that adds an event.
pub fn appended(event: Event) -> Result<Step, Error> {
    let id = event.id;
    let row = ActiveModel {
        id: Set(event.id),
        subject: Set(event.subject),
        sequence: Set(int(event.sequence)?),
        kind: Set(event.kind),
        route: Set(event.route),
        occur_time: Set(event.time.as_microsecond()),
        correlation_id: Set(event.correlation_id),
        causation_id: Set(event.causation_id),
        actor: Set(event.actor),
        traceparent: Set(event.traceparent),
        body: Set(event.data),
        publish_time: Set(None),
        next_attempt_time: Set(0),
        stream_position: Set(None),
    };
    Ok(Step::insert(row).appends(id))
}

impl From<Model> for Event {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            source: row.route.split('.').nth(1).unwrap_or_default().to_owned(),
            subject: row.subject,
            route: row.route,
            time: from_micros(row.occur_time),
            correlation_id: row.correlation_id,
            causation_id: row.causation_id,
            actor: row.actor,
            sequence: u64::try_from(row.sequence).unwrap_or_default(),
            traceparent: row.traceparent,
            data: row.body,
        }
    }
}
