//! The users of the bus: one for each context, which may publish and consume in its own name only, and one for the operator.

use std::collections::BTreeMap;

use jumak::house::Member;
use mesh::{
    bus::jetstream::{Accounts, Hearing, Permissions},
    context::Subscription,
};
use servers::NatsOptions;
use toml::{Table, Value};

use crate::databases::password;

/// The user that may read and replay everything.
const OPERATOR: &str = "operator";

/// The users with their passwords, and the server's URL.
#[derive(Debug)]
pub(crate) struct Users {
    url: String,
    operator: String,
    contexts: BTreeMap<Member, String>,
}

impl Users {
    /// Users with new passwords, for a server that is not started yet.
    pub fn new() -> Self {
        let contexts = Member::ALL.into_iter().filter(|member| member.uses_bus());
        Self {
            url: String::new(),
            operator: password(),
            contexts: contexts.map(|member| (member, password())).collect(),
        }
    }

    /// The same users, with the server's `url`.
    pub fn at(self, url: String) -> Self {
        Self { url, ..self }
    }

    /// The users in the server's configuration.
    pub fn options(&self) -> NatsOptions {
        let accounts =
            self.contexts.iter().fold(Accounts::new(OPERATOR, &self.operator), |accounts, (member, password)| {
                accounts.with(member.name(), password, permissions(*member))
            });
        NatsOptions { accounts: Some(accounts.to_string()) }
    }

    /// The `bus` section of the operator's configuration.
    pub fn operator(&self) -> Table {
        self.section(OPERATOR, &self.operator)
    }

    /// The `bus` section of a context's configuration; none if the context uses no bus.
    pub fn context(&self, member: Member) -> Option<Table> {
        Some(self.section(member.name(), self.contexts.get(&member)?))
    }

    fn section(&self, user: &str, password: &str) -> Table {
        let pairs = [("url", self.url.as_str()), ("user", user), ("password", password)];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value.to_owned()))).collect()
    }
}

fn permissions(member: Member) -> Permissions {
    let hearing = match member.hears {
        Some(Subscription::Projection) => Hearing::AsProjection,
        Some(Subscription::Once) | None => Hearing::Once,
    };
    Permissions::of_context(member.name(), hearing, &Member::ALL.map(Member::name))
}
