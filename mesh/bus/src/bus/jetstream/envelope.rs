//! An event's headers as NATS has them, and back. What begins with `Nats-` is the broker's own and no part of an event.

use async_nats::{
    HeaderMap,
    header::{HeaderName, HeaderValue, NATS_MESSAGE_ID},
};
use uuid::Uuid;

use super::Cause;

/// The id of the event.
pub(super) const EVENT_ID: &str = "ce-id";
/// Why a dead letter was put aside.
pub(super) const REASON: &str = "jumak-reason";
/// How often a dead letter had been delivered.
pub(super) const DELIVERIES: &str = "jumak-deliveries";

/// Headers under the id by which the broker is to know the message again, if it is to.
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

/// The id of the event. Not the one by which the broker knows the message again, which differs for what was published anew.
pub(super) fn event_id(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(EVENT_ID)?.as_str().parse().ok()
}

/// A text as it may stand in a header: on one line.
pub(super) fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
