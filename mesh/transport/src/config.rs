//! The settings of trust, of calls to other contexts, and of TLS.

mod client;
mod issuer;
mod public_keys;
mod tls;

use std::path::PathBuf;

use mesh_foundation::findings::Findings;
use serde::Deserialize;

pub(crate) use self::issuer::may_publish_at;
pub use self::{
    client::{BreakerConfig, ClientConfig},
    issuer::{IssuerConfig, SigningAlgorithm},
    public_keys::{check_public_keys, is_pem, one_or_many},
    tls::TlsConfig,
};

/// The longest name of the built-in issuer and of an audience.
const MAX_NAME_BYTES: usize = 512;

/// Who is trusted.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether the built-in issuer is trusted.
    pub built_in: bool,
    /// OpenID Connect issuers that are trusted beside it; at most 16.
    pub issuers: Vec<IssuerConfig>,
    /// The name of the built-in issuer: the `iss` of its tokens. Part of every user's id, so it is chosen once.
    pub issuer: String,
    /// The file with the built-in issuer's private key, for `jumak token` beside the mesh. Unset: the one in the data folder.
    pub issuer_key_file: Option<PathBuf>,
    /// The built-in issuer's public keys, for contexts that run without its private one: files, or the PEM texts themselves; at
    /// most 8, two while one is being replaced.
    #[serde(deserialize_with = "one_or_many")]
    pub issuer_public_keys: Vec<String>,
    /// The `aud` that a person's token must name.
    pub audience: String,
    /// Whether the built-in issuer, which asks for no password, may be trusted on an address that other machines can reach.
    pub allow_non_loopback_issuer: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            built_in: true,
            issuers: Vec::new(),
            issuer: "jumak".to_owned(),
            issuer_key_file: None,
            issuer_public_keys: Vec::new(),
            audience: "jumak".to_owned(),
            allow_non_loopback_issuer: false,
        }
    }
}

impl AuthConfig {
    /// The names of all issuers of people's tokens, the built-in issuer first.
    pub fn issuer_names(&self) -> impl Iterator<Item = &str> {
        let built_in = self.built_in.then_some(self.issuer.as_str());
        built_in.into_iter().chain(self.issuers.iter().map(|issuer| &*issuer.issuer))
    }

    /// Finds all that is wrong with who is trusted.
    pub fn check(&self, found: &mut Findings) {
        check_public_keys(found, "auth.issuer_public_keys", &self.issuer_public_keys);
        // The issuer of a context has a name that begins with `contexts/`: an issuer of people with such a name could mint tokens of a
        // context. The length is bounded because both names are in every token, which has its own bound.
        let is_name = |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.starts_with("contexts/");
        let name = format!("must be a name of 1 to {MAX_NAME_BYTES} bytes that does not begin with `contexts/`");
        found.unless(is_name(&self.issuer), "auth.issuer", &*name);
        found.unless(is_name(&self.audience), "auth.audience", &*name);
        issuer::check(found, self);
    }
}
