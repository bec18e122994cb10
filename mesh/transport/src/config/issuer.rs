//! The OpenID Connect issuers that are trusted beside the built-in issuer.

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

use mesh_foundation::findings::Findings;
use serde::Deserialize;

use super::AuthConfig;
use crate::net::{Address, AddressError, printable};

/// Issuers: a company has one or two.
const MAX_ISSUERS: usize = 16;
/// Key files of one issuer.
const MAX_KEY_FILES: usize = 8;

/// One OpenID Connect issuer whose tokens are accepted.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` of its tokens, letter by letter; `https://…`, or `http://…` on this machine. Part of every user's id.
    pub issuer: String,
    /// The `aud` by which its tokens mean this installation. An issuer speaks to many; only this says that a token is for us.
    pub audience: String,
    /// Where its keys are (JWKS). Unset: the `jwks_uri` of its own description at `<issuer>/.well-known/openid-configuration`.
    pub jwks_url: Option<String>,
    /// Its keys in files (JWKS, or Ed25519 in PEM), for an issuer that must not be asked over the network; at most 8, read once at start.
    pub key_files: Vec<PathBuf>,
    /// Where in its tokens the roles are: a claim's name, or a path with dots such as `realm_access.roles`.
    pub roles_claim: String,
    /// The algorithms that its keys may sign with.
    pub algorithms: BTreeSet<SigningAlgorithm>,
    /// The CA of the certificate that it shows (PEM). Unset: the public ones.
    pub ca_file: Option<PathBuf>,
    /// How often its keys are fetched again, in milliseconds; 1,000 to 86,400,000. A key that is not known is asked for at once.
    pub refresh_ms: u64,
}

impl fmt::Debug for IssuerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, audience, jwks_url, key_files, roles_claim, algorithms, ca_file, refresh_ms } = self;
        f.debug_struct("IssuerConfig")
            // A URL may hold a secret.
            .field("issuer", &printable(issuer))
            .field("audience", audience)
            .field("jwks_url", &jwks_url.as_deref().map(printable))
            .field("key_files", key_files)
            .field("roles_claim", roles_claim)
            .field("algorithms", algorithms)
            .field("ca_file", ca_file)
            .field("refresh_ms", refresh_ms)
            .finish()
    }
}

/// How a token may be signed: algorithms that providers use by default and that are considered safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum SigningAlgorithm {
    /// RSA with SHA-256, PKCS#1 v1.5; keys of 2,048 to 8,192 bits.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RS256, Self::ES256, Self::EdDSA];
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            jwks_url: None,
            key_files: Vec::new(),
            roles_claim: "roles".to_owned(),
            algorithms: SigningAlgorithm::ALL.into(),
            ca_file: None,
            refresh_ms: 300_000,
        }
    }
}

impl IssuerConfig {
    /// How often its keys are fetched again.
    pub const fn refresh(&self) -> Duration {
        Duration::from_millis(self.refresh_ms)
    }
}

/// Checks that keys come over TLS or from this machine. If an attacker could replace the keys on the way, any token would be accepted.
fn is_trustworthy(url: &str) -> Result<(), String> {
    let address = address_of(url)?;
    if address.is_tls() || address.is_loopback() {
        return Ok(());
    }
    Err(format!("is `{}`; it must begin with https://, unless it is on this machine", printable(url)))
}

/// Checks that `issuer` may publish its keys at `url`: over TLS, or on this machine if the issuer is on this machine too. A remote
/// issuer may not name a port of this machine, because any local process that listens there could then supply the keys.
pub(crate) fn may_publish_at(issuer: &str, url: &str) -> Result<(), String> {
    let address = address_of(url)?;
    if address.is_tls() || (address.is_loopback() && address_of(issuer)?.is_loopback()) {
        return Ok(());
    }
    Err(format!("is `{}`; it must begin with https://, unless the issuer is on this machine too", printable(url)))
}

fn address_of(url: &str) -> Result<Address, String> {
    let uri = url.parse().map_err(|_| format!("is `{}`, which is not a URL", printable(url)))?;
    Address::of(&uri).map_err(|error| match error {
        AddressError::Secret => "must hold no user or password".to_owned(),
        _ => format!("is `{}`, which is not an https:// URL", printable(url)),
    })
}

pub(super) fn check(found: &mut Findings, auth: &AuthConfig) {
    let somebody = auth.built_in || !auth.issuers.is_empty();
    found.unless(somebody, "auth.built_in", "is false and auth.issuers is empty: no person could call");
    found.unless(auth.issuers.len() <= MAX_ISSUERS, "auth.issuers", format!("has more than {MAX_ISSUERS}"));
    let mut names = BTreeSet::new();
    if auth.built_in {
        names.insert(auth.issuer.as_str());
    }
    for issuer in &auth.issuers {
        let mut unless = |good: bool, problem: &str| {
            found.unless(good, "auth.issuers", format!("has `{}`, {problem}", printable(&issuer.issuer)));
        };
        if let Err(problem) = is_trustworthy(&issuer.issuer) {
            unless(false, &format!("whose `issuer` {problem}"));
        }
        unless(names.insert(&issuer.issuer), "which is there twice");
        let good = !issuer.audience.is_empty() && !issuer.audience.starts_with("contexts/");
        unless(good, "whose `audience` must be set and must not begin with `contexts/`");
        if let Some(Err(problem)) = issuer.jwks_url.as_deref().map(is_trustworthy) {
            unless(false, &format!("whose `jwks_url` {problem}"));
        }
        unless(
            issuer.jwks_url.is_none() || issuer.key_files.is_empty(),
            "which has both `jwks_url` and `key_files`; one of them is enough",
        );
        unless(issuer.key_files.len() <= MAX_KEY_FILES, &format!("with more than {MAX_KEY_FILES} `key_files`"));
        unless(!issuer.roles_claim.is_empty(), "whose `roles_claim` is empty");
        unless(!issuer.algorithms.is_empty(), "which may sign by no algorithm");
        found.within("auth.issuers.refresh_ms", issuer.refresh_ms, 1_000..=86_400_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_issuer_may_not_publish_keys_on_loopback() {
        for (issuer, url, may) in [
            ("https://id.example", "https://keys.example/k", true),
            ("https://id.example", "http://127.0.0.1:80/k", false),
            ("https://id.example", "http://localhost/k", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/k", true),
            ("http://localhost:8080", "http://id.example/k", false),
        ] {
            assert_eq!(may_publish_at(issuer, url).is_ok(), may, "{issuer} {url}");
        }
    }
}
