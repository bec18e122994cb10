//! From a token to whose it is. Each context has a [`Verifier`] of its own, because each is an audience of its own.
//!
//! A token is believed for one reason only: a key that *this context* has listed for *that issuer* signed it, by the algorithm that
//! was written down with the key. What the token says of its own algorithm, or of where its key could be fetched, is never asked.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    keys::PublicKey,
    token::{SERVICE_TOKEN_LIFETIME, context_name},
};
use crate::{
    call::{Principal, Role},
    error::{Reason, Refusal},
};

/// How far two machines' clocks may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// A longer token is not even parsed.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verified tokens that are remembered, so that a caller's hundredth call costs a hash and not a signature.
const REMEMBERED: usize = 4_096;

/// An issuer of people's tokens.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// The `iss` of its tokens.
    pub name: String,
    /// The `aud` by which it means us.
    pub audience: String,
    /// Its keys.
    pub keys: Vec<PublicKey>,
}

/// Whom a context believes.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The context's own name, as in `payment`: the audience that other contexts' tokens must name.
    pub context: String,
    /// Who may speak for people.
    pub issuers: Vec<TrustedIssuer>,
    /// The contexts that may call this one, each with its keys: two while one is being replaced.
    pub contexts: BTreeMap<String, Vec<PublicKey>>,
    /// What a person without a good token does next, as in ``run `jumak token` ``; may be empty.
    pub hint: String,
}

/// Whose token it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The person or the context.
    pub principal: Principal,
    /// The person for whom a context says it acts. For the record; it gives no right.
    pub on_behalf_of: Option<String>,
    /// When the token is believed no longer, in seconds since 1970: its `exp`, and as much as clocks may be apart.
    pub expires: u64,
}

impl Identity {
    /// How much longer the token is believed.
    pub fn valid_for(&self) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(jsonwebtoken::get_current_timestamp()))
    }
}

/// Verifies tokens for one context. Cheap to clone; clones share what has been verified.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    trusted: HashMap<String, Trusted>,
    hint: String,
    verified: Mutex<HashMap<[u8; 32], Identity>>,
}

/// One issuer, ready for use.
struct Trusted {
    name: String,
    speaks_for: SpeaksFor,
    by_kid: HashMap<String, (DecodingKey, Validation)>,
}

enum SpeaksFor {
    People,
    Context(String),
}

/// The claims that are read beside those that the validation looks at.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: serde_json::Value,
    #[serde(default)]
    exp: f64,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    on_behalf_of: Option<String>,
}

impl Verifier {
    /// A verifier that believes whom `trust` names, and nobody else.
    pub fn new(trust: Trust) -> Self {
        let people = trust.issuers.into_iter().map(|issuer| {
            let by_kid = by_kid(&issuer.keys, &issuer.name, &issuer.audience);
            Trusted { name: issuer.name, speaks_for: SpeaksFor::People, by_kid }
        });
        let audience = context_name(&trust.context);
        let contexts = trust.contexts.into_iter().map(|(context, keys)| {
            let name = context_name(&context);
            let by_kid = by_kid(&keys, &name, &audience);
            Trusted { name, speaks_for: SpeaksFor::Context(context), by_kid }
        });
        // Contexts come last, so that an issuer of people that goes by a context's name loses to it.
        let trusted = people.chain(contexts).map(|trusted| (trusted.name.clone(), trusted)).collect();
        Self(Arc::new(Inner { trusted, hint: trust.hint, verified: Mutex::default() }))
    }

    /// Whose token stands in the `authorization` headers, of which there must be one: of two, whoever stands between the caller and
    /// us may have looked at the other.
    pub fn authenticate<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a http::HeaderValue>,
    ) -> Result<Identity, Refusal> {
        let mut sent = authorization.into_iter();
        let Some(value) = sent.next() else {
            return Err(
                self.refusal(Reason::TokenMissing, "the call came without a token in `authorization: Bearer …`")
            );
        };
        if sent.next().is_some() {
            return Err(self.invalid("the call came with more than one `authorization`"));
        }
        match value.to_str().ok().and_then(|value| value.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.verify(token.trim()),
            _ => Err(self.invalid("`authorization` is not `Bearer` and a token")),
        }
    }

    /// Whose `token` it is.
    pub fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(self.invalid("the token is too long"));
        }
        let digest = Sha256::digest(token).into();
        if let Some(identity) = self.remembered(&digest) {
            return Ok(identity);
        }
        let (trusted, claims) = self.believe(token)?;
        if claims.sub.is_empty() {
            return Err(self.invalid("the token has an empty `sub`"));
        }
        let expires = (claims.exp as u64).saturating_add(LEEWAY_SECONDS);
        let identity = match &trusted.speaks_for {
            SpeaksFor::People => Identity {
                principal: Principal::User {
                    name: user_name(&trusted.name, &claims.sub),
                    roles: claims.roles.iter().filter_map(|role| Role::parse(role)).collect(),
                },
                on_behalf_of: None,
                expires,
            },
            SpeaksFor::Context(context) => self.context(context, claims, expires)?,
        };
        self.remember(digest, identity.clone());
        Ok(identity)
    }

    /// The claims of `token`, and the issuer whose key signed them.
    fn believe(&self, token: &str) -> Result<(&Trusted, Claims), Refusal> {
        #[derive(Deserialize)]
        struct Issued {
            iss: Option<String>,
        }
        let unreadable = |_| self.invalid("the token cannot be read");
        let header = jsonwebtoken::decode_header(token).map_err(unreadable)?;
        // RFC 7515: an extension that must be understood, and is not, makes the token invalid.
        if header.crit.is_some() {
            return Err(self.invalid("the token needs an extension that is not known here"));
        }
        // Not believed yet: it only says which keys to try it with.
        let issued: Issued = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(unreadable)?;
        let Some(issuer) = issued.iss else {
            return Err(self.invalid("the token lacks the claim `iss`"));
        };
        let Some(trusted) = self.0.trusted.get(&issuer) else {
            return Err(self.invalid("the token is from an issuer that is not trusted here"));
        };
        let Some((key, validation)) = header.kid.and_then(|kid| trusted.by_kid.get(&kid)) else {
            return Err(self.invalid("the token is signed with a key that is not known here"));
        };
        let problem = match jsonwebtoken::decode::<Claims>(token, key, validation) {
            Ok(data) => return Ok((trusted, data.claims)),
            Err(error) => match error.into_kind() {
                ErrorKind::ExpiredSignature => {
                    return Err(self.expired());
                }
                ErrorKind::InvalidSignature => "the token's signature is false".to_owned(),
                ErrorKind::InvalidAlgorithm => "the token is not signed by its key's algorithm".to_owned(),
                ErrorKind::InvalidAudience => "the token is for another audience".to_owned(),
                ErrorKind::ImmatureSignature => "the token's time has not come yet".to_owned(),
                ErrorKind::MissingRequiredClaim(claim) => format!("the token lacks the claim `{claim}`"),
                _ => "the token cannot be read".to_owned(),
            },
        };
        Err(self.invalid(problem))
    }

    /// A context's token says who calls, and nothing else: roles in it would be a context's claim to be a person.
    fn context(&self, context: &str, claims: Claims, expires: u64) -> Result<Identity, Refusal> {
        if claims.sub != context {
            return Err(self.invalid("the token's subject is another context than its issuer"));
        }
        if !claims.aud.is_string() {
            return Err(self.invalid("a context's token is for one audience"));
        }
        let latest = jsonwebtoken::get_current_timestamp() + SERVICE_TOKEN_LIFETIME.as_secs() + LEEWAY_SECONDS;
        if claims.exp > latest as f64 {
            return Err(self.invalid("the token lives longer than a context's token may"));
        }
        let principal = Principal::Context { name: context.to_owned() };
        Ok(Identity { principal, on_behalf_of: claims.on_behalf_of, expires })
    }

    fn remembered(&self, digest: &[u8; 32]) -> Option<Identity> {
        let verified = self.0.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let found = verified.get(digest)?;
        (jsonwebtoken::get_current_timestamp() < found.expires).then(|| found.clone())
    }

    fn remember(&self, digest: [u8; 32], token: Identity) {
        let mut verified = self.0.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            let now = jsonwebtoken::get_current_timestamp();
            verified.retain(|_, token| now < token.expires);
        }
        // Full of tokens that are still good: to forget them all costs each a signature, once.
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, token);
    }

    /// What a person is told whose token's time is over.
    pub fn expired(&self) -> Refusal {
        self.refusal(Reason::TokenExpired, "the token's time is over")
    }

    fn invalid(&self, problem: impl Into<String>) -> Refusal {
        self.refusal(Reason::TokenInvalid, problem)
    }

    fn refusal(&self, reason: Reason, problem: impl Into<String>) -> Refusal {
        let refusal = Refusal::new(reason, problem);
        if self.0.hint.is_empty() { refusal } else { refusal.hint(&self.0.hint) }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("trusted", &self.0.trusted.keys()).finish_non_exhaustive()
    }
}

/// Each key with all that a token signed by it must fulfil.
fn by_kid(keys: &[PublicKey], issuer: &str, audience: &str) -> HashMap<String, (DecodingKey, Validation)> {
    let accept = |key: &PublicKey| {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        (key.kid().to_owned(), (DecodingKey::from_ed_der(key.as_bytes()), validation))
    };
    keys.iter().map(accept).collect()
}

/// The resource name of the person whom `issuer` calls `subject`: `users/` and a hash of both, in letters and digits that no one can
/// take for a number.
pub fn user_name(issuer: &str, subject: &str) -> String {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    let mut name = String::from("users/");
    // Base32 (RFC 4648) of sixteen bytes: 25 groups of five bits, and three bits left over.
    let (mut bits, mut held) = (0_u32, 0);
    for byte in &hash[..16] {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            name.push(char::from(ALPHABET[(bits >> held & 31) as usize]));
        }
    }
    name.push(char::from(ALPHABET[(bits << (5 - held) & 31) as usize]));
    name
}

#[cfg(test)]
mod tests;
