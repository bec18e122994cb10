//! What the broker lets each user do. A context may say what it says in its own name and hear what all say; the place of another's
//! consumer, others' dead letters, and the streams themselves are none of its business.
//!
//! A consumer goes by its context's name, so a permission can name it. A projection's goes by a name that is made with its database
//! (ADR 15), and NATS's patterns are of whole parts: a projection may use any consumer but those that are other contexts' own.

use serde::Serialize;

use super::{
    connection::inbox_prefix,
    layout::{self, DEAD, DEAD_STREAM, STREAM, api},
};

/// How a context hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Under its own name, or not at all.
    Once,
    /// As a projection, under a name that goes with its database.
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
    /// What the user of `context` may do, when `contexts` are all that there are.
    pub fn of_context(context: &str, hearing: Hearing, contexts: &[&str]) -> Self {
        let consumer = match hearing {
            Hearing::Once => context,
            Hearing::AsProjection => "*",
        };
        let mut allow = vec![format!("jumak.{context}.>")];
        for stream in [STREAM, DEAD_STREAM] {
            allow.extend(["STREAM.INFO", "STREAM.CREATE"].map(|operation| api(operation, stream)));
        }
        // Whether an event is still where it was.
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

    /// What may be published on, as it is called in the context's account.
    pub(super) fn may_publish(&self) -> &[String] {
        &self.publish.allow
    }
}

/// What is published by whoever hears as `consumer`.
fn of_consumer(consumer: &str) -> Vec<String> {
    let mut subjects: Vec<String> = ["CONSUMER.CREATE", "CONSUMER.DELETE", "CONSUMER.INFO", "CONSUMER.MSG.NEXT"]
        .map(|operation| api(operation, &format!("{STREAM}.{consumer}")))
        .into();
    subjects.push(format!("$JS.ACK.{STREAM}.{consumer}.>"));
    subjects.push(format!("{DEAD}.{consumer}.>"));
    subjects
}
