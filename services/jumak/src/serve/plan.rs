//! Reads everything that the contexts need from the configuration, or lists everything that is missing.

use std::{collections::HashSet, fmt};

use mesh::{
    auth::{
        keys::{PublicKey, SigningKey},
        token::ServiceTokens,
        verify::{Trust, TrustedIssuer},
    },
    config::{Config, ContextConfig},
};

use super::{Options, keys};
use crate::house::{Member, ask_issuers};

/// A context with its key and its trust.
#[derive(Debug)]
pub(super) struct Planned {
    pub member: Member,
    pub tokens: ServiceTokens,
    pub trust: Trust,
}

/// Lists the settings that are missing, and the files that cannot be read.
#[derive(Debug)]
pub struct Missing {
    contexts: String,
    needs: Vec<String>,
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration lacks settings that {} needs:", self.contexts)?;
        self.needs.iter().try_for_each(|need| write!(f, "\n  {need}"))?;
        f.write_str(
            "\nset each in the file of --config, or in the environment, such as JUMAK_CONTEXTS__ROOM__DATABASE_URL=…",
        )
    }
}

/// The contexts of `options` with everything that they need. Reads key files and nothing else.
pub(super) fn plan(options: &Options) -> Result<Vec<Planned>, Missing> {
    let mut found = Found { options, needs: Vec::new() };
    let planned = options.members.iter().map(|member| found.member(*member)).collect();
    found.bus();
    let Found { mut needs, .. } = found;
    // Two contexts of one process may need the same setting.
    let mut seen = HashSet::new();
    needs.retain(|need| seen.insert(need.clone()));
    if needs.is_empty() {
        return Ok(planned);
    }
    let names: Vec<_> = options.members.iter().map(|member| member.name()).collect();
    Err(Missing { contexts: names.join(" and "), needs })
}

struct Found<'a> {
    options: &'a Options,
    needs: Vec<String>,
}

impl Found<'_> {
    fn config(&self) -> &Config {
        &self.options.config
    }

    fn context(&self, member: Member) -> ContextConfig {
        self.config().contexts.get(member.name()).cloned().unwrap_or_default()
    }

    /// Adds the setting `key` to the list unless `is_there`; `example` is a possible value.
    fn need(&mut self, is_there: bool, key: &str, example: &str) {
        if !is_there {
            self.needs.push(format!("{key} is not set; for example {example}"));
        }
    }

    /// The value, or a default and an entry in the list if it could not be read.
    fn readable<T: Default>(&mut self, key: &str, read: anyhow::Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.needs.push(format!("{key} cannot be used: {error:#}"));
            T::default()
        })
    }

    fn member(&mut self, member: Member) -> Planned {
        let own = self.context(member);
        let name = member.name();
        let has_database = own.database_url.is_some() || self.options.data.is_some();
        let example = format!("\"postgres://{name}:…@127.0.0.1/{name}\"; or use --data DIR for a SQLite file");
        self.need(has_database, &format!("contexts.{name}.database_url"), &example);
        for callee in member.callees().filter(|callee| !self.options.members.contains(callee)) {
            let is_there = !self.config().addresses(callee.name()).is_empty();
            self.need(is_there, &format!("contexts.{callee}.addresses"), &format!("[\"http://{callee}:8088\"]"));
        }
        let key = self.key(member, &own);
        let contexts = member.callers().map(|caller| (caller.name().to_owned(), self.public_keys(caller))).collect();
        let trust = Trust { context: name.to_owned(), issuers: self.issuers(), contexts, hint: self.hint() };
        Planned { member, tokens: ServiceTokens::new(name, key), trust }
    }

    /// The context's private key. A context that makes no calls needs none; it gets a new key that no other context trusts.
    fn key(&mut self, member: Member, own: &ContextConfig) -> SigningKey {
        let key = format!("contexts.{member}.key_file");
        self.need(own.has_key() || member.descriptor().calls.is_empty(), &key, &format!("\"/etc/jumak/{member}.pem\""));
        self.readable(&key, keys::private(own)).unwrap_or_else(SigningKey::generate)
    }

    /// The public keys of a caller: the configured ones, and its own key if it runs in this process.
    fn public_keys(&mut self, caller: Member) -> Vec<PublicKey> {
        let context = self.context(caller);
        let key = format!("contexts.{caller}.public_keys");
        let is_here = self.options.members.contains(&caller);
        let is_there = is_here || !context.public_keys.is_empty();
        self.need(is_there, &key, &format!("[\"/etc/jumak/{caller}.pub.pem\"]"));
        let mut known = self.readable(&key, keys::public(&context.public_keys));
        if is_here && let Ok(Some(own)) = keys::private(&context) {
            known.push(own.public().clone());
        }
        known
    }

    fn issuers(&mut self) -> Vec<TrustedIssuer> {
        let auth = self.config().auth.clone();
        if !auth.built_in {
            return Vec::new();
        }
        let key = "auth.issuer_public_keys";
        self.need(!auth.issuer_public_keys.is_empty(), key, "[\"/etc/jumak/issuer.pub.pem\"]");
        let keys = self.readable(key, keys::public(&auth.issuer_public_keys));
        vec![TrustedIssuer { name: auth.issuer, audience: auth.audience, keys }]
    }

    fn hint(&self) -> String {
        ask_issuers(&self.config().auth)
    }

    fn bus(&mut self) {
        let used = self.options.members.iter().any(|member| member.uses_bus());
        let is_there = !used || !self.config().bus.urls().is_empty();
        self.need(is_there, "bus.url", "\"nats://127.0.0.1:4222\"");
    }
}
