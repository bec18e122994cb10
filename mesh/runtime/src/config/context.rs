//! What is different for one context: its database, where it is called, and its keys.

use std::{fmt, path::PathBuf};

use mesh_foundation::findings::Findings;
use mesh_transport::{
    auth::keys::SigningKey,
    config::{check_public_keys, one_or_many},
    net::{Address, printable},
};
use serde::Deserialize;

/// Addresses of one context: a service mesh gives it one, and nobody lists hundreds.
const MAX_ADDRESSES: usize = 64;

/// What is different for one context.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextConfig {
    /// Its database: `sqlite://…`, `postgres://…` or `mysql://…`.
    pub database_url: Option<String>,
    /// Where the others call it: one URL (`http://payment:8088`), or one for each of its replicas; at most 64. Contexts in the same
    /// process need none.
    #[serde(deserialize_with = "one_or_many")]
    pub addresses: Vec<String>,
    /// The file with its private key (Ed25519 in PKCS#8 PEM, which only its owner can read). Only its own processes have it.
    pub key_file: Option<PathBuf>,
    /// The same key itself, for whoever keeps secrets in the environment. One of the two.
    pub key: Option<String>,
    /// Its public keys, by which those whom it calls know it: files, or the PEM texts themselves; at most 8, two while one is being
    /// replaced.
    #[serde(deserialize_with = "one_or_many")]
    pub public_keys: Vec<String>,
}

/// A database's URL holds its password, and a key is one: neither is printed, nor what somebody may have put into an address.
impl fmt::Debug for ContextConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextConfig")
            .field("database_url", &self.database_url.as_ref().map(|_| "…"))
            .field("addresses", &self.addresses.iter().map(|address| printable(address)).collect::<Vec<_>>())
            .field("key_file", &self.key_file)
            .field("key", &self.key.as_ref().map(|_| "…"))
            .field("public_keys", &self.public_keys)
            .finish()
    }
}

impl ContextConfig {
    /// Whether it says where the context's own private key is.
    pub const fn has_key(&self) -> bool {
        self.key.is_some() || self.key_file.is_some()
    }
}

pub(super) fn check(found: &mut Findings, name: &str, context: &ContextConfig) {
    let key = |key: &str| format!("contexts.{name}.{key}");
    if let Some(url) = &context.database_url {
        let known = ["sqlite:", "postgres:", "postgresql:", "mysql:", "mariadb:"];
        found.unless(
            known.iter().any(|scheme| url.starts_with(scheme)),
            key("database_url"),
            // The URL may hold a password: only what should stand there is said.
            "is no sqlite://…, postgres://… or mysql://… URL",
        );
    }
    let few = context.addresses.len() <= MAX_ADDRESSES;
    found.unless(few, key("addresses"), format!("has more than {MAX_ADDRESSES}"));
    for address in &context.addresses {
        let problem = format!("has `{}`, which is no address as in http://{name}:8088", printable(address));
        found.unless(is_address(address), key("addresses"), problem);
    }
    let both = context.key.is_some() && context.key_file.is_some();
    found.unless(!both, key("key"), format!("and {} are both set; one of them is enough", key("key_file")));
    let readable = context.key.as_deref().is_none_or(|pem| SigningKey::from_pem(pem).is_ok());
    found.unless(readable, key("key"), "is no Ed25519 private key in PKCS#8 PEM");
    check_public_keys(found, &key("public_keys"), &context.public_keys);
}

/// A scheme that is spoken here, a host and a port, and nothing behind them.
fn is_address(address: &str) -> bool {
    let is_whole = |address: Address| !address.host().is_empty() && address.authority().port().is_some();
    Address::parse(address).is_ok_and(is_whole)
}

#[cfg(test)]
mod tests {
    use mesh_transport::auth::keys::PublicKey;

    use super::*;
    use crate::config::{Config, Known};

    fn keys_of(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let error = Config::from_sources(None, variables, &Known::a_few()).unwrap_err();
        error.problems().iter().map(|problem| problem.key.clone()).collect()
    }

    #[test]
    fn addresses_and_keys_may_come_from_the_environment_one_or_many() {
        let pem = SigningKey::generate().public().to_pem().unwrap();
        let variables = [
            ("JUMAK_CONTEXTS__PAYMENT__ADDRESSES", r#"["http://127.0.0.1:1", "http://127.0.0.1:2"]"#),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "http://room:8088"),
            ("JUMAK_CONTEXTS__ROOM__PUBLIC_KEYS", pem.as_str()),
            ("JUMAK_CONTEXTS__ROOM__KEY_FILE", "/keys/room.pem"),
        ];
        let config = Config::from_sources(
            None,
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())),
            &Known::a_few(),
        )
        .unwrap();
        assert_eq!(config.contexts["payment"].addresses.len(), 2);
        let room = &config.contexts["room"];
        assert_eq!(room.addresses, ["http://room:8088"]);
        assert_eq!(PublicKey::from_pem(&room.public_keys[0]).unwrap().to_pem().unwrap(), pem);
        assert!(room.has_key());
    }

    #[test]
    fn what_is_no_address_or_no_key_is_named_by_its_key() {
        for (name, value, key) in [
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "room:8088", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "http://room", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "http://room:8088/v1", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "ftp://room:8088", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "7", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "http://:8088", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__ADDRESSES", "http://u:p@room:8088", "contexts.room.addresses"),
            ("JUMAK_CONTEXTS__ROOM__KEY", "s3cret", "contexts.room.key"),
            ("JUMAK_CONTEXTS__ROOM__PUBLIC_KEYS", "-----BEGIN PUBLIC KEY-----", "contexts.room.public_keys"),
            ("JUMAK_CONTEXTS__ROOM__PUBLIC_KEYS", "", "contexts.room.public_keys"),
            ("JUMAK_AUTH__ISSUER_PUBLIC_KEYS", "-----BEGIN PUBLIC KEY-----", "auth.issuer_public_keys"),
        ] {
            assert_eq!(keys_of(&[(name, value)]), [key], "{name}={value}");
        }
    }

    #[test]
    fn what_is_secret_in_an_address_is_printed_nowhere() {
        for address in
            ["http://u:s3cret@room", "http://u:s3cret@room:8088", "ftp://u:s3cret@room:1", "http://room?t=s3cret"]
        {
            let variables = [("JUMAK_CONTEXTS__ROOM__ADDRESSES".to_owned(), address.to_owned())];
            let error = Config::from_sources(None, variables, &Known::a_few()).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
            let context = ContextConfig { addresses: vec![address.to_owned()], ..ContextConfig::default() };
            assert!(!format!("{context:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_key_is_printed_nowhere() {
        let variables = || [("JUMAK_CONTEXTS__ROOM__KEY".to_owned(), "s3cret".to_owned())];
        let error = Config::from_sources(None, variables(), &Known::a_few()).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        let context = ContextConfig { key: Some("s3cret".to_owned()), ..ContextConfig::default() };
        assert!(!format!("{context:?}").contains("s3cret"));
    }
}
