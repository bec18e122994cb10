//! An event in flight: a CloudEvents 1.0 envelope in binary mode around a protobuf message.

use std::fmt;

use jiff::Timestamp;
use prost::{Message, Name};
use uuid::Uuid;

use crate::{call::Actor, clock::from_micros, error::Error, trace};

/// Bytes of a UUIDv7 that are its time.
const TIME: usize = 6;

/// Something that happened in one context and that any other context may consume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique among its context's events; also the broker's de-duplication id. Its [`key`](Self::key) is unique among all events.
    pub id: Uuid,
    /// The message's full protobuf name, as in `jumak.reservation.v1.ReservationConfirmed`.
    pub kind: String,
    /// The context that publishes it.
    pub source: String,
    /// The resource that it is about: `reservations/…`.
    pub subject: String,
    /// Where it is published: `jumak.<context>.v1.<aggregate>.<event>`.
    pub route: String,
    /// When it happened.
    pub time: Timestamp,
    /// The business case that it belongs to.
    pub correlation_id: String,
    /// The event that caused it, if one did.
    pub causation_id: Option<String>,
    /// Who did it: `users/…` or `contexts/…`.
    pub actor: String,
    /// The version of the resource after the change; unique for each resource.
    pub sequence: u64,
    /// The W3C trace context of the span in which it was made.
    pub traceparent: Option<String>,
    /// The message.
    pub data: Vec<u8>,
}

/// Why a message is not an event.
#[derive(Debug, thiserror::Error)]
pub enum MalformedEvent {
    /// A required header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header's value does not parse.
    #[error("the header {0} does not parse")]
    Unparsable(&'static str),
    /// Route, source and type do not name the same context and event.
    #[error("published on {route}, but declared as {kind} from {source_context}")]
    Contradiction {
        /// Where it was published.
        route: String,
        /// Its declared type.
        kind: String,
        /// Its declared source.
        source_context: String,
    },
}

impl Event {
    /// A new event of `context` about `subject`, which has reached version `sequence`.
    pub fn new<M: Message + Name>(
        context: &str,
        aggregate: &str,
        subject: impl Into<String>,
        sequence: u64,
        time: Timestamp,
        actor: &Actor,
        message: &M,
    ) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind: M::full_name(),
            source: context.to_owned(),
            subject: subject.into(),
            route: route(context, aggregate, M::NAME),
            time,
            correlation_id: actor.correlation_id.clone(),
            causation_id: actor.causation_id.clone(),
            actor: actor.actor.clone(),
            sequence,
            traceparent: trace::traceparent(),
            data: message.encode_to_vec(),
        }
    }

    /// The key that is unique among all events: made from its id and its route.
    pub fn key(&self) -> Uuid {
        key(&self.route, self.id)
    }

    /// Whether the event is an `M`.
    pub fn is<M: Name>(&self) -> bool {
        self.kind == M::full_name()
    }

    /// The message, if the event is an `M`.
    pub fn decode<M: Message + Name + Default>(&self) -> Option<Result<M, prost::DecodeError>> {
        self.is::<M>().then(|| M::decode(self.data.as_slice()))
    }

    /// The message, if the event is an `M`. An event of that type that does not decode is malformed.
    pub fn read<M: Message + Name + Default>(&self) -> Result<Option<M>, Error> {
        self.decode().transpose().map_err(|error| self.malformed(error))
    }

    /// The resource that the event is about, as it is after the change: field 1 of every event.
    pub fn carried<R: Message + Default + fmt::Debug>(&self) -> Result<R, Error> {
        let carrying = Carrying::<R>::decode(self.data.as_slice()).map_err(|error| self.malformed(error))?;
        carrying.resource.ok_or_else(|| self.malformed("it carries no resource"))
    }

    /// The error for an event that breaks its contract: it has no caller, so it becomes a dead letter.
    pub fn malformed(&self, what: impl fmt::Display) -> Error {
        Error::Internal(format!("the event {} ({} of {}) is malformed: {what}", self.id, self.kind, self.subject))
    }

    /// The envelope as headers.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("ce-specversion".to_owned(), "1.0".to_owned()),
            ("content-type".to_owned(), "application/protobuf".to_owned()),
            ("ce-id".to_owned(), self.id.to_string()),
            ("ce-type".to_owned(), self.kind.clone()),
            ("ce-source".to_owned(), self.source.clone()),
            ("ce-subject".to_owned(), self.subject.clone()),
            ("ce-time".to_owned(), self.time.to_string()),
            ("ce-correlationid".to_owned(), self.correlation_id.clone()),
            ("ce-actor".to_owned(), self.actor.clone()),
            ("ce-sequence".to_owned(), self.sequence.to_string()),
        ];
        if let Some(cause) = &self.causation_id {
            headers.push(("ce-causationid".to_owned(), cause.clone()));
        }
        if let Some(parent) = &self.traceparent {
            headers.push(("traceparent".to_owned(), parent.clone()));
        }
        headers
    }

    /// Reads an event from a broker's message. Fails if route, source and type disagree, because a context may publish only its own events.
    pub fn from_parts(route: &str, headers: &[(String, String)], data: Vec<u8>) -> Result<Self, MalformedEvent> {
        let find = |name: &'static str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let need = |name: &'static str| find(name).ok_or(MalformedEvent::Missing(name));
        let time: Timestamp = need("ce-time")?.parse().map_err(|_| MalformedEvent::Unparsable("ce-time"))?;
        let event = Self {
            id: need("ce-id")?.parse().map_err(|_| MalformedEvent::Unparsable("ce-id"))?,
            kind: need("ce-type")?,
            source: need("ce-source")?,
            subject: need("ce-subject")?,
            route: route.to_owned(),
            time: from_micros(time.as_microsecond()),
            correlation_id: need("ce-correlationid")?,
            causation_id: find("ce-causationid"),
            actor: need("ce-actor")?,
            sequence: need("ce-sequence")?.parse().map_err(|_| MalformedEvent::Unparsable("ce-sequence"))?,
            traceparent: find("traceparent"),
            data,
        };
        if event.agrees_with_itself() {
            Ok(event)
        } else {
            Err(MalformedEvent::Contradiction { route: event.route, kind: event.kind, source_context: event.source })
        }
    }

    fn agrees_with_itself(&self) -> bool {
        let mut parts = self.route.split('.');
        let (Some("jumak"), Some(context), Some(_version), Some(aggregate), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let kind = self.kind.rsplit('.').next().unwrap_or_default();
        context == self.source
            && self.kind.starts_with(&format!("jumak.{context}."))
            && event_name(aggregate, kind) == name
    }
}

/// The part that every event has in common.
#[derive(Clone, PartialEq, Message)]
struct Carrying<R: Message + Default + fmt::Debug> {
    #[prost(message, optional, tag = "1")]
    resource: Option<R>,
}

/// The [`key`](Event::key) of the event of that id on that route. An id alone is no proof: a context that has consumed an event can publish
/// its own event under the same id, but only on its own routes.
pub fn key(route: &str, id: Uuid) -> Uuid {
    let mut key = Uuid::new_v5(&id, route.as_bytes()).into_bytes();
    // An id begins with its time, and so does its key, so that rows are stored in the order of time. The other 74 bits come from the hash.
    // An attacker who wants a collision has only until the event is consumed to find one.
    let time = &id.as_bytes()[..TIME];
    key[..TIME].copy_from_slice(time);
    Uuid::from_bytes(key)
}

/// The route of a context's event: `ReservationConfirmed` of the aggregate `reservation` is published on
/// `jumak.reservation.v1.reservation.confirmed`.
pub fn route(context: &str, aggregate: &str, message_name: &str) -> String {
    format!("jumak.{context}.v1.{aggregate}.{}", event_name(aggregate, message_name))
}

fn event_name(aggregate: &str, message_name: &str) -> String {
    let snake = snake_case(message_name);
    match snake.strip_prefix(aggregate).and_then(|rest| rest.strip_prefix('_')) {
        Some(rest) => rest.to_owned(),
        None => snake,
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            id: Uuid::now_v7(),
            kind: "jumak.reservation.v1.ReservationConfirmed".to_owned(),
            source: "reservation".to_owned(),
            subject: "reservations/1".to_owned(),
            route: "jumak.reservation.v1.reservation.confirmed".to_owned(),
            time: from_micros(1_700_000_000_123_456),
            correlation_id: "case".to_owned(),
            causation_id: Some("cause".to_owned()),
            actor: "users/alice".to_owned(),
            sequence: 2,
            traceparent: None,
            data: vec![1, 2, 3],
        }
    }

    #[test]
    fn an_event_survives_the_broker() {
        let sent = event();
        let read = Event::from_parts(&sent.route, &sent.headers(), sent.data.clone());
        assert_eq!(read.ok(), Some(sent));
    }

    #[test]
    fn event_keys_are_stable_and_unique_across_contexts() {
        let event = event();
        let read = Event::from_parts(&event.route, &event.headers(), event.data.clone()).unwrap();
        assert_eq!(read.key(), event.key());
        let of_another = Event { route: route("room", "reservation", "ReservationConfirmed"), ..event.clone() };
        assert_ne!(of_another.key(), event.key());
        assert_ne!(Event { id: Uuid::now_v7(), ..event.clone() }.key(), event.key());
        assert_eq!(event.key().as_bytes()[..TIME], event.id.as_bytes()[..TIME], "they are in the order of time");
    }

    #[test]
    fn a_context_cannot_speak_for_another() {
        for forge in [
            |e: &mut Event| e.source = "payment".to_owned(),
            |e: &mut Event| e.route = "jumak.payment.v1.reservation.confirmed".to_owned(),
            |e: &mut Event| e.kind = "jumak.payment.v1.ReservationConfirmed".to_owned(),
            |e: &mut Event| e.kind = "jumak.reservation.v1.ReservationCancelled".to_owned(),
        ] {
            let mut forged = event();
            forge(&mut forged);
            assert!(Event::from_parts(&forged.route, &forged.headers(), forged.data.clone()).is_err(), "{forged:?}");
        }
    }
}
