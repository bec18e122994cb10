//! Verifies tokens. Each context has its own [`Verifier`], because each context is its own audience.
//!
//! A token is accepted for one reason only: it is signed with a key that *this context* has listed for *that issuer*, by the algorithm
//! that is listed with the key. The algorithm and the key URL that a token names are never used. The keys of an OpenID Connect
//! provider are fetched from the configured place.

mod memory;
mod name;
mod rejection;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use mesh_foundation::{
    call::{Principal, Role},
    error::{Reason, Refusal},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::name::user_name;
use self::{
    memory::{Fetched, Memory},
    rejection::{Rejection, UnknownKey},
};
use super::{
    issuer::{Issuer, Issuers},
    keys::PublicKey,
    signatures,
    token::{SERVICE_TOKEN_LIFETIME, context_name},
};

/// How much the clocks of two machines may differ, in seconds.
pub(super) const LEEWAY_SECONDS: u64 = 5;

/// A longer token is refused before it is parsed.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

const UNREADABLE: &str = "the token cannot be read";
const UNREADABLE_HEADER: &str = "the token's header cannot be read, or names an algorithm that is not supported";
const UNKNOWN_KEY: &str = "the token is signed with an unknown key";
const NO_SUBJECT: &str = "the token has an empty `sub`";

/// An issuer of people's tokens.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// The `iss` of its tokens.
    pub name: String,
    /// The `aud` that its tokens for us must name.
    pub audience: String,
    /// Its keys.
    pub keys: Vec<PublicKey>,
}

/// The issuers that a context trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The context's own name, as in `payment`: the audience that other contexts' tokens must name.
    pub context: String,
    /// The issuers of people's tokens.
    pub issuers: Vec<TrustedIssuer>,
    /// The contexts that may call this one, each with its keys: two while one is being replaced.
    pub contexts: BTreeMap<String, Vec<PublicKey>>,
    /// What a person without a valid token should do next, as in ``run `jumak token` ``; may be empty.
    pub hint: String,
}

/// The verified bearer of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The person or the context.
    pub principal: Principal,
    /// The person for whom a context says it acts. It is recorded and gives no right.
    pub on_behalf_of: Option<String>,
    /// When the token stops being accepted, in seconds since 1970: its `exp` plus the difference that clocks may have.
    pub expires: u64,
}

impl Identity {
    /// How much longer the token is accepted.
    pub fn valid_for(&self) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(jsonwebtoken::get_current_timestamp()))
    }
}

/// Verifies tokens for one context. Cheap to clone; clones share what has been verified.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    trusted: HashMap<String, Trusted>,
    issuers: Issuers,
    hint: String,
    verified: Memory,
}

/// One issuer, ready for use.
#[derive(Clone)]
struct Trusted {
    name: String,
    speaks_for: SpeaksFor,
    by_kid: HashMap<String, (DecodingKey, Validation)>,
}

#[derive(Clone)]
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
    /// A verifier that trusts the issuers in `trust` and no others.
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
        // Contexts come last, so that a context replaces an issuer of people with the same name.
        let trusted = people.chain(contexts).map(|trusted| (trusted.name.clone(), trusted)).collect();
        Self::of(trusted, Issuers::default(), trust.hint)
    }

    /// The same verifier, which also trusts `issuers`.
    #[must_use]
    pub fn with_issuers(self, issuers: &Issuers) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(Inner { trusted, hint, .. }) => Self::of(trusted, issuers.clone(), hint),
            // Other clones are in use and keep trusting the same issuers.
            Err(shared) => Self::of(shared.trusted.clone(), issuers.clone(), shared.hint.clone()),
        }
    }

    fn of(trusted: HashMap<String, Trusted>, issuers: Issuers, hint: String) -> Self {
        Self(Arc::new(Inner { trusted, issuers, hint, verified: Memory::default() }))
    }

    /// The bearer of the token in the `authorization` headers. There must be exactly one: of two, a proxy between the caller and us may
    /// have checked the other. If the issuer has to be asked for a key, this waits for as long as one fetch may take.
    pub fn authenticate<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a http::HeaderValue>,
    ) -> impl Future<Output = Result<Identity, Refusal>> + Send {
        // Read before the first await: the headers are borrowed from a request that cannot be borrowed across one.
        let first = self.bearer(authorization).map(|token| (self.look(token), token));
        let first = match first {
            Ok((Err(Rejection::UnknownKey(key)), token)) => Err((key.issuer, token.to_owned())),
            Ok((Err(Rejection::Refused(refusal)), _)) | Err(refusal) => Ok(Err(refusal)),
            Ok((Ok(identity), _)) => Ok(Ok(identity)),
        };
        async move {
            match first {
                Ok(outcome) => outcome,
                Err((issuer, token)) => {
                    let asked = issuer.look_again().await;
                    self.look(&token).map_err(|rejection| rejection.refusal(asked, || self.invalid(UNKNOWN_KEY)))
                }
            }
        }
    }

    fn bearer<'a>(&self, authorization: impl IntoIterator<Item = &'a http::HeaderValue>) -> Result<&'a str, Refusal> {
        let mut sent = authorization.into_iter();
        let Some(value) = sent.next() else {
            return Err(self.refusal(Reason::TOKEN_MISSING, "the call has no token in `authorization: Bearer …`"));
        };
        if sent.next().is_some() {
            return Err(self.invalid("the call has more than one `authorization` header"));
        }
        match value.to_str().ok().and_then(|value| value.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Err(self.invalid("`authorization` must be `Bearer` and a token")),
        }
    }

    /// The bearer of `token`, by the keys that are known now: asks no issuer.
    pub fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        self.look(token).map_err(|rejection| rejection.refusal(true, || self.invalid(UNKNOWN_KEY)))
    }

    fn look(&self, token: &str) -> Result<Identity, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(self.invalid("the token is too long").into());
        }
        let digest = Sha256::digest(token).into();
        if let Some(identity) = self.0.verified.find(&digest) {
            return Ok(identity);
        }
        let (identity, by) = self.believe(token)?;
        self.0.verified.keep(digest, identity.clone(), by);
        Ok(identity)
    }

    /// The bearer of `token`, by its signature.
    fn believe(&self, token: &str) -> Result<(Identity, Option<Fetched>), Rejection> {
        #[derive(Deserialize)]
        struct Issued {
            iss: Option<String>,
            #[serde(default)]
            iat: Value,
        }
        // If a client requests no audience, a provider often issues an opaque token: the client has to request one.
        if token.split('.').count() != 3 {
            return Err(self.invalid("the token is not a signed JWT").into());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| self.invalid(UNREADABLE_HEADER))?;
        // RFC 7515: an extension that must be understood, and is not, makes the token invalid.
        if header.crit.is_some() {
            return Err(self.invalid("the token needs an extension that is not supported").into());
        }
        // Not verified yet: it only selects the keys to try.
        let issued: Issued =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| self.invalid(UNREADABLE))?;
        let Some(issuer) = issued.iss else {
            return Err(self.invalid("the token lacks the claim `iss`").into());
        };
        let Some(kid) = header.kid else {
            return Err(self.invalid("the token does not name its key (`kid`)").into());
        };
        if let Some(trusted) = self.0.trusted.get(&issuer) {
            let (key, validation) = trusted.by_kid.get(&kid).ok_or_else(|| self.invalid(UNKNOWN_KEY))?;
            return Ok((self.listed(trusted, self.claims(token, key, validation)?)?, None));
        }
        let Some(issuer) = self.0.issuers.find(&issuer) else {
            return Err(self.invalid("the token is from an issuer that is not trusted here").into());
        };
        let issued = issued.iat.as_f64().map(|at| at as u64);
        let known = issuer.known();
        let found = known.keys.as_ref().and_then(|keys| Some((keys, keys.find(&kid)?)));
        let Some((keys, (key, validation))) = found else {
            return Err(Rejection::UnknownKey(UnknownKey { issuer: issuer.clone(), known, issued }));
        };
        let identity = self.fetched(issuer, &self.claims(token, key, validation)?)?;
        Ok((identity, Some(Fetched { issuer: issuer.clone(), keys: keys.clone() })))
    }

    /// The claims of `token`, if they are signed with `key` and fulfil `validation`.
    fn claims<C: DeserializeOwned>(
        &self,
        token: &str,
        key: &DecodingKey,
        validation: &Validation,
    ) -> Result<C, Refusal> {
        let problem = match signatures::decode::<C>(token, key, validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => match error.into_kind() {
                ErrorKind::ExpiredSignature => {
                    return Err(self.expired());
                }
                ErrorKind::InvalidSignature => "the token's signature is not valid".to_owned(),
                ErrorKind::InvalidAlgorithm => "the token is not signed by its key's algorithm".to_owned(),
                ErrorKind::InvalidAudience => "the token is for another audience".to_owned(),
                ErrorKind::ImmatureSignature => "the token is not valid yet".to_owned(),
                ErrorKind::MissingRequiredClaim(claim) => format!("the token lacks the claim `{claim}`"),
                _ => UNREADABLE.to_owned(),
            },
        };
        Err(self.invalid(problem))
    }

    /// The bearer of a token of the built-in issuer or of a context.
    fn listed(&self, trusted: &Trusted, claims: Claims) -> Result<Identity, Refusal> {
        if claims.sub.is_empty() {
            return Err(self.invalid(NO_SUBJECT));
        }
        let expires = expires(claims.exp);
        match &trusted.speaks_for {
            SpeaksFor::People => {
                let name = user_name(&trusted.name, &claims.sub);
                let roles = claims.roles.iter().filter_map(|role| Role::parse(role)).collect();
                Ok(Identity { principal: Principal::User { name, roles }, on_behalf_of: None, expires })
            }
            SpeaksFor::Context(context) => self.context(context, claims, expires),
        }
    }

    /// The bearer of a token of an OpenID Connect provider: always a person.
    fn fetched(&self, issuer: &Issuer, claims: &Value) -> Result<Identity, Refusal> {
        let subject = claims["sub"].as_str().filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| self.invalid(NO_SUBJECT))?;
        let expires = expires(claims["exp"].as_f64().unwrap_or_default());
        let principal = Principal::User {
            name: user_name(&issuer.name, subject),
            roles: roles_in(claims, &issuer.roles_claim).into_iter().filter_map(Role::parse).collect(),
        };
        Ok(Identity { principal, on_behalf_of: None, expires })
    }

    /// A context's token may only say which context calls: with roles in it a context would claim to be a person.
    fn context(&self, context: &str, claims: Claims, expires: u64) -> Result<Identity, Refusal> {
        if claims.sub != context {
            return Err(self.invalid("the token's subject and its issuer are different contexts"));
        }
        if !claims.aud.is_string() {
            return Err(self.invalid("a context's token must name one audience"));
        }
        let latest = jsonwebtoken::get_current_timestamp() + SERVICE_TOKEN_LIFETIME.as_secs() + LEEWAY_SECONDS;
        if claims.exp > latest as f64 {
            return Err(self.invalid("the token lives longer than a context's token may"));
        }
        let principal = Principal::Context { name: context.to_owned() };
        Ok(Identity { principal, on_behalf_of: claims.on_behalf_of, expires })
    }

    /// The refusal of a person whose token has expired.
    pub fn expired(&self) -> Refusal {
        self.refusal(Reason::TOKEN_EXPIRED, "the token has expired")
    }

    fn invalid(&self, problem: impl Into<String>) -> Refusal {
        self.refusal(Reason::TOKEN_INVALID, problem)
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
        let validation = validation(Algorithm::EdDSA, issuer, audience);
        (key.kid().to_owned(), (DecodingKey::from_ed_der(key.as_bytes()), validation))
    };
    keys.iter().map(accept).collect()
}

/// What a token must fulfil if its key signs by `algorithm`.
pub(super) fn validation(algorithm: Algorithm, issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// When a token with this `exp` stops being accepted.
fn expires(exp: f64) -> u64 {
    (exp as u64).saturating_add(LEEWAY_SECONDS)
}

/// The roles at `path` in the claims: a list, or one text with blanks between them. The path is a claim's whole name, which may hold
/// dots itself, or leads from claim to claim.
fn roles_in<'a>(claims: &'a Value, path: &str) -> Vec<&'a str> {
    let found = claims.get(path).or_else(|| path.split('.').try_fold(claims, |inside, name| inside.get(name)));
    match found {
        Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(roles)) => roles.split_whitespace().collect(),
        _ => Vec::new(),
    }
}
