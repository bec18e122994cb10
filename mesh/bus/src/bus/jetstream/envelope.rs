//! Converts an event's headers to NATS headers and back. Headers that begin with `Nats-` are the broker's and not part of an event.

use async_nats::{
    HeaderMap,
    header::{HeaderName, HeaderValue, NATS_MESSAGE_ID},
};
use uuid::Uuid;

use super::Cause;

/// The id of the event.
pub(super) const EVENT_ID: &str = "ce-id";
/// The reason of a dead letter.
pub(super) const REASON: &str = "jumak-reason";
/// How often a dead letter had been delivered.
pub(super) const DELIVERIES: &str = "jumak-deliveries";

/// NATS headers, with the id by which the broker recognises duplicates, if there is one.
pub(super) fn headers(pairs: &[(String, String)], id: Option<&str>) -> Result<HeaderMap, Cause> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
    }
    if let Some(id) = id {
        headers.insert(NATS_MESSAGE_ID, id.parse::<HeaderValue>()?);
    }
    Ok(headers)
}

/// The pairs that a message's publisher put there.
pub(super) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let ours = headers.iter().filter(|(name, _)| !AsRef::<str>::as_ref(*name).starts_with("Nats-"));
    ours.flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.as_str().to_owned())))
        .collect()
}

/// The id of the event. Not the broker's duplicate id, which differs for events that were published again.
pub(super) fn event_id(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(EVENT_ID)?.as_str().parse().ok()
}

/// The text on one line, as headers require.
pub(super) fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
