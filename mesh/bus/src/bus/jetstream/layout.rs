//! The names of streams and subjects. They are part of the installation, like the names of tables, because permissions name them.

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream::{
    Context,
    stream::{Config, RetentionPolicy, StorageType},
};
use serde_json::{Map, Value};

use super::Cause;
use crate::bus::Extent;

/// The stream of all events.
pub(super) const STREAM: &str = "JUMAK";
/// The stream of dead letters.
pub(super) const DEAD_STREAM: &str = "JUMAK_DEAD";
/// The prefix of the subjects of replayed dead letters, which only their consumer receives.
pub(super) const REPLAY: &str = "jumak-replay";
/// The prefix of the subjects of dead letters.
pub(super) const DEAD: &str = "jumak-dead";

/// How long the broker remembers an event's id and drops duplicates. It keeps the ids in memory. An event that is published again later
/// is delivered again, and the inboxes skip it.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Whether a name can be one of the parts that dots separate in a subject.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The prefix of requests to JetStream.
pub(super) const API: &str = "$JS.API.";
/// The prefix to which the broker maps it in a context's account, where JetStream is not enabled and would answer with an error.
pub(super) const API_IN_ACCOUNT: &str = "$JS.JUMAK.API.";

/// The subject of a request to JetStream about something: what permissions are about.
pub(super) fn api(operation: &str, about: &str) -> String {
    format!("{API}{operation}.{about}")
}

/// The name of a subject in a context's account.
pub(super) fn in_account(subject: &str) -> String {
    subject.strip_prefix(API).map_or_else(|| subject.to_owned(), |request| format!("{API_IN_ACCOUNT}{request}"))
}

/// The reverse of [`in_account`].
pub(super) fn of_account(subject: &str) -> String {
    subject.strip_prefix(API_IN_ACCOUNT).map_or_else(|| subject.to_owned(), |request| format!("{API}{request}"))
}

/// The subject on which a dead letter of `consumer` from `route` is replayed.
pub(super) fn replay_subject(consumer: &str, route: &str) -> String {
    format!("{REPLAY}.{consumer}.{route}")
}

/// The subject of a dead letter of `consumer` from `route`.
pub(super) fn dead_subject(consumer: &str, route: &str) -> String {
    format!("{DEAD}.{consumer}.{route}")
}

/// The route of a message in the stream, whether it was published or replayed.
pub(super) fn route(subject: &str) -> &str {
    split(REPLAY, subject).map_or(subject, |(_, route)| route)
}

/// The consumer and the route of a dead letter.
pub(super) fn of_dead_letter(subject: &str) -> Option<(&str, &str)> {
    split(DEAD, subject)
}

fn split<'a>(prefix: &str, subject: &'a str) -> Option<(&'a str, &'a str)> {
    subject.strip_prefix(prefix)?.strip_prefix('.')?.split_once('.')
}

/// Creates missing streams. An existing stream is never changed: that is an operator's decision, and some changes lose events.
/// Differences from our configuration are logged.
pub(super) async fn make_streams(context: &Context, replicas: usize) -> Result<(), Cause> {
    for wanted in [events(replicas), dead_letters(replicas)] {
        context.get_or_create_stream(wanted.clone()).await?;
        let differs = differences(context, &wanted).await?;
        if let Some(name) = differs.iter().find(|name| LOSES_IN_THE_MIDDLE.contains(&name.as_str())) {
            return Err(format!(
                "the stream {} has another `{name}`, with which it drops events in the middle, and nobody can see what it has dropped; \
                 set it back with `nats stream edit`",
                wanted.name
            )
            .into());
        }
        if !differs.is_empty() {
            tracing::warn!(stream = %wanted.name, ?differs, "the stream exists with other settings than configured");
        }
    }
    Ok(())
}

pub(super) fn events(replicas: usize) -> Config {
    Config {
        description: Some("What has happened in Jumak, for ever".to_owned()),
        subjects: vec!["jumak.>".to_owned(), format!("{REPLAY}.>")],
        // The relay relies on it: a stream loses its tail or everything, never something in the middle.
        deny_delete: true,
        deny_purge: true,
        ..stream(STREAM, replicas)
    }
}

pub(super) fn dead_letters(replicas: usize) -> Config {
    Config {
        description: Some("What Jumak's consumers could not handle".to_owned()),
        subjects: vec![format!("{DEAD}.>")],
        ..stream(DEAD_STREAM, replicas)
    }
}

/// Without limits of age, number or size: nothing is ever dropped to make room.
fn stream(name: &str, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        duplicate_window: DUPLICATE_WINDOW,
        ..Config::default()
    }
}

/// Settings of a stream that an operator may choose: no code here relies on them.
const OF_THE_OPERATOR: [&str; 4] = ["description", "metadata", "placement", "compression"];

/// The settings of the existing stream that differ from ours, by the broker's names.
pub(super) async fn differences(context: &Context, wanted: &Config) -> Result<Vec<String>, Cause> {
    // From the broker's own answer, because the library's types are of an older version and skip new settings.
    let mut info: Value = context.request(format!("STREAM.INFO.{}", wanted.name), &()).await?;
    let (wanted, there) = (settings(serde_json::to_value(wanted)?)?, settings(info["config"].take())?);
    let names: BTreeSet<&String> = wanted.keys().chain(there.keys()).collect();
    Ok(names.into_iter().filter(|name| wanted.get(*name) != there.get(*name)).cloned().collect())
}

/// The extent of the stream of all events.
pub(super) async fn extent(context: &Context) -> Result<Extent, Cause> {
    let info: Value = context.request(format!("STREAM.INFO.{STREAM}"), &()).await?;
    let state = &info["state"];
    let (Some(first), Some(messages)) = (state["first_seq"].as_i64(), state["messages"].as_u64()) else {
        return Err(format!("the broker's answer about the stream is incomplete: {}", info["error"]).into());
    };
    let is_limited = LIMITS.iter().any(|limit| !is_unset(&info["config"][*limit]));
    Ok(Extent { first: first.max(1), messages, is_limited })
}

/// Settings with which a stream drops messages anywhere, and not only from its beginning: relays and consumers would not notice.
const LOSES_IN_THE_MIDDLE: [&str; 2] = ["retention", "max_msgs_per_subject"];

/// Settings with which a stream drops its oldest messages.
const LIMITS: [&str; 3] = ["max_msgs", "max_bytes", "max_age"];

/// The settings without those that equal their default, which the broker fills in.
fn settings(config: Value) -> Result<Map<String, Value>, Cause> {
    let Value::Object(mut settings) = config else { return Err("a stream has no configuration".into()) };
    settings.retain(|name, value| !OF_THE_OPERATOR.contains(&name.as_str()) && !is_unset(value));
    Ok(settings)
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        // A limit of -1 is none.
        Value::Number(number) => number.as_i64().is_some_and(|number| number <= 0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_message_has_the_route_that_it_was_published_on() {
        let published = "jumak.room.v1.room.created";
        assert_eq!(route(published), published);
        assert_eq!(route(&replay_subject("mypage-1", published)), published);
        assert_eq!(of_dead_letter(&dead_subject("mypage-1", published)), Some(("mypage-1", published)));
    }

    #[test]
    fn a_name_that_would_change_a_subject_is_refused() {
        assert!(is_token("mypage-0192f0"));
        for name in ["", "a.b", "*", ">", "a b", "é"] {
            assert!(!is_token(name), "{name}");
        }
    }
}
