//! The claims of a token, and the two issuers that mint tokens: the built-in issuer for people, and each context for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, Header, get_current_timestamp};
use mesh_foundation::{
    call::Role,
    error::{Error, Reason, Refusal},
};
use serde::Serialize;

use super::{keys::SigningKey, signatures, verify::MAX_TOKEN_BYTES};
use crate::client::TokenSource;

/// How long a context's token lives: long enough for one call and a slow clock, too short to be worth stealing.
pub const SERVICE_TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// When a context mints a new token: early enough that the old one does not expire in transit.
const RENEW_AFTER: Duration = Duration::from_secs(40);

/// The name of a context in tokens: as `iss` and as `aud`.
pub(super) fn context_name(context: &str) -> String {
    format!("contexts/{context}")
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<&'a str>,
}

fn sign(claims: &Claims<'_>, key: &SigningKey) -> Result<String, Error> {
    let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    signatures::encode(&header, claims, key.encoding())
        .map_err(|error| Error::Internal(format!("failed to sign a token: {error}")))
}

/// The built-in issuer. It asks for no password: anyone who can read its key can mint a token for any person.
#[derive(Clone, Debug)]
pub struct Issuer {
    name: String,
    audience: String,
    key: SigningKey,
}

impl Issuer {
    /// An issuer that goes by `name`, for tokens that are good at `audience`.
    pub fn new(name: impl Into<String>, audience: impl Into<String>, key: SigningKey) -> Self {
        Self { name: name.into(), audience: audience.into(), key }
    }

    /// A token for the person `subject`, valid for `lifetime` (whole seconds). Fails if the token would be longer than a verifier accepts.
    pub fn mint_user(&self, subject: &str, roles: &[Role], lifetime: Duration) -> Result<String, Error> {
        let now = get_current_timestamp();
        let claims = Claims {
            iss: &self.name,
            sub: subject,
            aud: &self.audience,
            iat: now,
            exp: now.saturating_add(lifetime.as_secs()),
            roles: Some(roles.iter().map(|role| role.name()).collect()),
            on_behalf_of: None,
        };
        let token = sign(&claims, &self.key)?;
        if token.len() > MAX_TOKEN_BYTES {
            let problem = format!(
                "the token would have {} bytes, and at most {MAX_TOKEN_BYTES} are accepted; shorten the user's name",
                token.len()
            );
            return Err(Refusal::new(Reason::INVALID_FIELDS, problem).into());
        }
        Ok(token)
    }
}

/// A context's own tokens, one per callee. Cheap to clone; clones share what has been minted.
#[derive(Clone, Debug)]
pub struct ServiceTokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: String,
    key: SigningKey,
    renew_after: Duration,
    // As many entries as the context has callees.
    minted: Mutex<HashMap<String, Minted>>,
}

#[derive(Debug)]
struct Minted {
    token: Arc<str>,
    // By the monotonic clock, so that a token is not used for too long if the machine's clock is set back.
    at: Instant,
}

impl ServiceTokens {
    /// Tokens with which `context` calls others, signed with its own key.
    pub fn new(context: impl Into<String>, key: SigningKey) -> Self {
        Self::renewed_after(RENEW_AFTER, context.into(), key)
    }

    fn renewed_after(renew_after: Duration, context: String, key: SigningKey) -> Self {
        Self(Arc::new(Inner { context, key, renew_after, minted: Mutex::default() }))
    }

    /// A token for calls to the context `callee`, minted at most once in 40 s.
    pub fn for_callee(&self, callee: &str) -> Result<Arc<str>, Error> {
        let mut minted = self.0.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = minted.get(callee)
            && kept.at.elapsed() < self.0.renew_after
        {
            return Ok(kept.token.clone());
        }
        let token: Arc<str> = self.mint(callee, None)?.into();
        minted.insert(callee.to_owned(), Minted { token: token.clone(), at: Instant::now() });
        Ok(token)
    }

    /// A token for one call to `callee` that names the person for whom the context acts. The name is recorded; it gives the context no
    /// further rights.
    pub fn on_behalf_of(&self, callee: &str, user: &str) -> Result<String, Error> {
        self.mint(callee, Some(user))
    }

    fn mint(&self, callee: &str, on_behalf_of: Option<&str>) -> Result<String, Error> {
        let now = get_current_timestamp();
        let claims = Claims {
            iss: &context_name(&self.0.context),
            sub: &self.0.context,
            aud: &context_name(callee),
            iat: now,
            exp: now + SERVICE_TOKEN_LIFETIME.as_secs(),
            roles: None,
            on_behalf_of,
        };
        sign(&claims, &self.0.key)
    }
}

impl TokenSource for ServiceTokens {
    fn token(&self, callee: &str) -> Result<String, Error> {
        self.for_callee(callee).map(|token| token.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callee_gets_the_same_token_until_it_is_time_for_a_new_one() {
        let key = SigningKey::generate();
        let tokens = ServiceTokens::new("reservation", key.clone());
        let first = tokens.for_callee("payment").unwrap();
        assert!(Arc::ptr_eq(&first, &tokens.clone().for_callee("payment").unwrap()));
        assert_ne!(first, tokens.for_callee("room").unwrap());

        let impatient = ServiceTokens::renewed_after(Duration::ZERO, "reservation".to_owned(), key);
        let first = impatient.for_callee("payment").unwrap();
        assert!(!Arc::ptr_eq(&first, &impatient.for_callee("payment").unwrap()));
    }
}
