//! Publishes many events concurrently, each with its own acknowledgement.

use async_nats::{
    HeaderMap, RequestError, RequestErrorKind,
    jetstream::{
        self, ErrorCode,
        publish::PublishAck,
        response::Response,
        stream::{LastRawMessageErrorKind, RawMessageErrorKind},
    },
};
use bytes::Bytes;
use futures::future::try_join_all;
use mesh_foundation::event::{Event, key};
use uuid::Uuid;

use super::{
    Cause, envelope, layout,
    link::{Failure, Link},
};
use crate::bus::{BusError, Position};

/// Messages in flight. With one at a time the round trip and the disk's sync are the limit; more than some hundred gain nothing.
const IN_FLIGHT: usize = 256;

pub(super) async fn publish(link: &Link, events: &[Event]) -> Result<Vec<Position>, BusError> {
    let mut positions = Vec::with_capacity(events.len());
    for chunk in events.chunks(IN_FLIGHT) {
        positions.extend(publish_at_once(link, chunk).await?);
    }
    Ok(positions)
}

async fn publish_at_once(link: &Link, events: &[Event]) -> Result<Vec<Position>, BusError> {
    link.make_ready().await?;
    // They are sent in their order, and one connection keeps it.
    let all = try_join_all(events.iter().map(async |event| match publish_one(link, event).await {
        // Collects all refused events of the batch; otherwise they would fail it one by one.
        Err(cause) if is_of_the_event(&cause) => Ok(Err(cause)),
        outcome => outcome.map(Ok),
    }));
    let is_ours = |refused: &str| events.iter().any(|event| event.route == refused);
    let outcomes = link.run_on("publish", is_ours, all).await.map_err(|error| not_permitted(error, events))?;
    let (mut positions, mut refused, mut why) = (Vec::with_capacity(events.len()), Vec::new(), None);
    for (event, outcome) in events.iter().zip(outcomes) {
        match outcome {
            Ok(position) => positions.push(position),
            Err(cause) => {
                refused.push(event.id);
                why.get_or_insert(cause);
            }
        }
    }
    match why {
        Some(cause) => Err(BusError::new("publish", cause).refusing(refused)),
        None => Ok(positions),
    }
}

/// Names the events that caused the error: those on the route that we may not publish on, if the error is such a refusal.
fn not_permitted(error: BusError, events: &[Event]) -> BusError {
    let Some(Failure::NotPermitted(refusal)) = error.source.downcast_ref() else { return error };
    let of_it = events.iter().filter(|event| refusal.publishing && event.route == refusal.subject);
    let refused = of_it.map(|event| event.id).collect();
    error.refusing(refused)
}

/// Why one event cannot be published while others can.
#[derive(Debug, thiserror::Error)]
enum Unpublishable {
    #[error("the event cannot be written as a message")]
    Unwritable(#[source] Cause),
    #[error("the broker drops {0} as a duplicate, but the original is not stored")]
    Duplicate(Uuid),
}

/// Whether the event is the cause, and not the state of the broker.
fn is_of_the_event(cause: &Cause) -> bool {
    let for_the_server = |error: &RequestError| error.kind() == RequestErrorKind::MaxPayloadExceeded;
    let for_the_stream = |error: &jetstream::Error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM;
    cause.is::<Unpublishable>()
        || cause.downcast_ref().is_some_and(for_the_server)
        || cause.downcast_ref().is_some_and(for_the_stream)
}

/// How often an event is published that the broker drops as a duplicate although the original is not stored.
const MAX_COPIES: usize = 4;

async fn publish_one(link: &Link, event: &Event) -> Result<Position, Cause> {
    let publish = async |message_id: &str| {
        let headers = envelope::headers(&event.headers(), Some(message_id)).map_err(Unpublishable::Unwritable)?;
        store(link, layout::STREAM, event.route.clone(), headers, event.data.clone().into()).await
    };
    let mut message_id = event.id.to_string();
    for _ in 0..MAX_COPIES {
        let ack = publish(&message_id).await?;
        if !ack.duplicate || is_at(link, ack.sequence, event.key()).await? {
            return Ok(i64::try_from(ack.sequence)?);
        }
        // A purge does not clear the broker's memory of ids: it drops an event as a duplicate although the original, or the copy that
        // was published then, is gone. The memory is also shared by all subjects: another context may have used this id first.
        message_id = format!("{message_id}-{}", ack.sequence);
    }
    Err(Unpublishable::Duplicate(event.id).into())
}

/// Whether the event of that key is at that place of the stream.
pub(super) async fn is_at(link: &Link, sequence: u64, event: Uuid) -> Result<bool, Cause> {
    let stream = link.context().get_stream_no_info(layout::STREAM).await?;
    // Not a direct get: a lagging replica may answer it, and would deny an event that it has not received yet.
    match stream.get_raw_message(sequence).await {
        // By the subject, which the broker protects, and not by the message's own headers.
        Ok(message) => {
            Ok(envelope::event_id(&message.headers).is_some_and(|id| key(layout::route(&message.subject), id) == event))
        }
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The id of the newest event on the context's own subjects.
pub(super) async fn newest(link: &Link, context: &str) -> Result<Option<Uuid>, Cause> {
    let stream = link.context().get_stream_no_info(layout::STREAM).await?;
    match stream.get_last_raw_message_by_subject(&format!("jumak.{context}.>")).await {
        Ok(message) => Ok(envelope::event_id(&message.headers)),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Stores one message in `stream`, and returns the broker's acknowledgement.
pub(super) async fn store(
    link: &Link,
    stream: &str,
    subject: String,
    headers: HeaderMap,
    body: Bytes,
) -> Result<PublishAck, Cause> {
    let answer = link.request(subject, Some(headers), body).await?;
    match serde_json::from_slice::<Response<PublishAck>>(&answer.payload)? {
        Response::Ok(ack) if ack.stream == stream => Ok(ack),
        Response::Ok(ack) => Err(format!("it was stored in the stream {} and not in {stream}", ack.stream).into()),
        Response::Err { error } => Err(error.into()),
    }
}
