//! The permissions of each user on the broker. A context may publish its own events and read all events. It may not touch other contexts'
//! consumers and dead letters, or the streams themselves.
//!
//! A consumer has its context's name, so a permission can name it. A projection's consumer has a name that is made with its database
//! (ADR 15), and NATS's patterns match whole parts only: so a projection may use any consumer except those of other contexts.

use serde::Serialize;

use super::{
    connection::inbox_prefix,
    layout::{self, DEAD, DEAD_STREAM, STREAM, api},
};

/// How a context consumes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Under its own name, or not at all.
    Once,
    /// As a projection, under a name that belongs to its database.
    AsProjection,
}

/// A user's permissions, as [`Accounts`](super::Accounts) show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permissions {
    publish: Subjects,
    subscribe: Subjects,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Subjects {
    allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
}

impl Permissions {
    /// The permissions of the user of `context`, where `contexts` are all contexts.
    pub fn of_context(context: &str, hearing: Hearing, contexts: &[&str]) -> Self {
        let consumer = match hearing {
            Hearing::Once => context,
            Hearing::AsProjection => "*",
        };
        let mut allow = vec![format!("jumak.{context}.>")];
        for stream in [STREAM, DEAD_STREAM] {
            allow.extend(["STREAM.INFO", "STREAM.CREATE"].map(|operation| api(operation, stream)));
        }
        // To check whether an event is still at its position.
        allow.push(api("STREAM.MSG.GET", STREAM));
        allow.extend(of_consumer(consumer));
        let deny = match hearing {
            Hearing::Once => Vec::new(),
            Hearing::AsProjection => {
                contexts.iter().filter(|other| **other != context).flat_map(|other| of_consumer(other)).collect()
            }
        };
        let in_account = |subjects: Vec<String>| subjects.iter().map(|subject| layout::in_account(subject)).collect();
        Self {
            publish: Subjects { allow: in_account(allow), deny: in_account(deny) },
            subscribe: Subjects { allow: vec![format!("{}.>", inbox_prefix(context))], deny: Vec::new() },
        }
    }

    /// The subjects that may be published on, by their names in the context's account.
    pub(super) fn may_publish(&self) -> &[String] {
        &self.publish.allow
    }
}

/// The subjects that a member of `consumer` publishes on.
fn of_consumer(consumer: &str) -> Vec<String> {
    let mut subjects: Vec<String> = ["CONSUMER.CREATE", "CONSUMER.DELETE", "CONSUMER.INFO", "CONSUMER.MSG.NEXT"]
        .map(|operation| api(operation, &format!("{STREAM}.{consumer}")))
        .into();
    subjects.push(format!("$JS.ACK.{STREAM}.{consumer}.>"));
    subjects.push(format!("{DEAD}.{consumer}.>"));
    subjects
}
