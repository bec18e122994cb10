//! The accounts of the broker: one that has the streams, and one for each context.
//!
//! NATS checks the subject that a user publishes on, and not the reply subject. Within one account the broker sends the reply to any
//! subject, in its own name: to another context's dead letters, or to `$JS.API.STREAM.DELETE`, where the reply acts as a request. So each
//! context is alone in its account, which imports what its [`Permissions`] name and nothing else, and a reply stays in the account that
//! asked.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use super::{
    layout::{API, API_IN_ACCOUNT, of_account},
    permissions::Permissions,
};

/// The account that has JetStream and the streams.
const HOME: &str = "JUMAK";
/// The only request to JetStream with more than one answer.
const STREAMED: &str = "$JS.API.CONSUMER.MSG.NEXT.";

/// The longest text that is written on one line.
const WIDTH: usize = 120;

/// The accounts with their users. Shown as the value of `accounts` in nats-server's configuration, which takes JSON; with the passwords.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Accounts(BTreeMap<String, Account>);

#[derive(Default, Serialize)]
struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    jetstream: Option<&'static str>,
    users: Vec<User>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exports: Vec<Export>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mappings: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imports: Vec<Import>,
}

#[derive(Serialize)]
struct User {
    user: String,
    password: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Permissions>,
}

#[derive(Serialize)]
struct Export {
    service: String,
    accounts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Import {
    service: Service,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

#[derive(Serialize)]
struct Service {
    account: &'static str,
    subject: String,
}

impl Accounts {
    /// The account with the streams, with a user that may do everything.
    pub fn new(operator: &str, password: &str) -> Self {
        let users = vec![User { user: operator.to_owned(), password: password.to_owned(), permissions: None }];
        let home = Account { jetstream: Some("enabled"), users, ..Account::default() };
        Self(BTreeMap::from([(HOME.to_owned(), home)]))
    }

    /// The same with an account and a user of that name for `context`.
    #[must_use]
    pub fn with(mut self, context: &str, password: &str, permissions: Permissions) -> Self {
        let subjects = permissions.may_publish();
        if let Some(home) = self.0.get_mut(HOME) {
            subjects.iter().for_each(|subject| home.export(of_account(subject), context));
        }
        let account = Account {
            mappings: BTreeMap::from([(format!("{API}>"), format!("{API_IN_ACCOUNT}>"))]),
            imports: subjects.iter().map(|subject| Import::of(subject)).collect(),
            users: vec![User {
                user: context.to_owned(),
                password: password.to_owned(),
                permissions: Some(permissions),
            }],
            ..Account::default()
        };
        self.0.insert(context.to_owned(), account);
        self
    }
}

impl Account {
    fn export(&mut self, subject: String, to: &str) {
        match self.exports.iter_mut().find(|export| export.service == subject) {
            Some(export) => export.accounts.push(to.to_owned()),
            None => self.exports.push(Export {
                accounts: vec![to.to_owned()],
                response_type: subject.starts_with(STREAMED).then_some("stream"),
                service: subject,
            }),
        }
    }
}

impl Import {
    fn of(subject: &str) -> Self {
        let at_home = of_account(subject);
        let to = (at_home != subject).then(|| subject.to_owned());
        Self { service: Service { account: HOME, subject: at_home }, to }
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        write_value(f, &accounts, "\n")
    }
}

/// Writes JSON with a value on one line if it fits. `line` is a line break and the indentation of the next line.
fn write_value(f: &mut fmt::Formatter<'_>, value: &Value, line: &str) -> fmt::Result {
    let inner = format!("{line}  ");
    let text = value.to_string();
    match value {
        Value::Array(items) if text.len() > WIDTH => {
            for (at, item) in items.iter().enumerate() {
                write!(f, "{}{inner}", if at == 0 { "[" } else { "," })?;
                write_value(f, item, &inner)?;
            }
            write!(f, "{line}]")
        }
        Value::Object(items) if text.len() > WIDTH => {
            for (at, (key, item)) in items.iter().enumerate() {
                write!(f, "{}{inner}{key:?}: ", if at == 0 { "{" } else { "," })?;
                write_value(f, item, &inner)?;
            }
            write!(f, "{line}}}")
        }
        _ => f.write_str(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::jetstream::Hearing;

    #[test]
    fn the_accounts_in_the_manual_are_those_that_we_generate() {
        let manual = include_str!("../../../../../docs/operations.md");
        let room = Permissions::of_context("room", Hearing::Once, &["room", "payment"]);
        let accounts = Accounts::new("operator", "…").with("room", "…", room).to_string();
        assert!(manual.contains(&accounts), "docs/operations.md does not show {accounts}");
    }
}
