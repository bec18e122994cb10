//! Keys from a JWKS document, each with the one algorithm that it may verify.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    auth::{keys::PublicKey, verify::validation},
    config::{IssuerConfig, SigningAlgorithm},
};

/// Keys of one issuer. A provider has two or three; more than these are not read.
const MAX_KEYS: usize = 64;

/// RSA keys: shorter ones can be broken, and longer ones make each verification a burden.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of an issuer, by their ids.
#[derive(Default)]
pub(in crate::auth) struct KeySet {
    by_kid: HashMap<String, (DecodingKey, Validation)>,
    /// A digest, to notice a change.
    fingerprint: [u8; 32],
}

impl KeySet {
    /// Reads a JWKS document, or a public key in PEM. None if it is neither. Keys that cannot be used are skipped: a provider also
    /// publishes keys for encryption, and keys of unsupported kinds.
    pub(crate) fn read(text: &str, issuer: &IssuerConfig) -> Option<Self> {
        let fingerprint = Sha256::digest(text).into();
        let keys = match PublicKey::from_pem(text.trim()) {
            Ok(key) => vec![key.to_jwk()],
            Err(_) => match serde_json::from_str::<Value>(text).ok()?.get_mut("keys")?.take() {
                Value::Array(keys) => keys,
                _ => return None,
            },
        };
        let mut by_kid = HashMap::new();
        for key in keys.iter().take(MAX_KEYS) {
            if let Some((kid, key, algorithm)) = usable(key, issuer) {
                // Of two keys with one id the first one counts: otherwise a second one could replace a key without removing it.
                by_kid.entry(kid).or_insert((key, validation(algorithm, &issuer.issuer, &issuer.audience)));
            }
        }
        Some(Self { by_kid, fingerprint })
    }

    /// The key of that id, with all that a token signed by it must fulfil.
    pub(crate) fn find(&self, kid: &str) -> Option<&(DecodingKey, Validation)> {
        self.by_kid.get(kid)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_kid.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_kid.len()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.by_kid.extend(other.by_kid);
    }
}

/// The key, its id and its algorithm. The algorithm follows from the key's kind alone, and the key's `alg`, if set, must agree. The
/// algorithm that a token names is never used.
fn usable(jwk: &Value, issuer: &IssuerConfig) -> Option<(String, DecodingKey, Algorithm)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let kid = text("kid").filter(|kid| !kid.is_empty())?;
    if text("use").is_some_and(|used| used != "sig") || !may_verify(jwk) {
        return None;
    }
    let (kind, name, algorithm, key) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (n, e) = (unsigned(text("n")?)?, unsigned(text("e")?)?);
            if !RSA_BYTES.contains(&n.len()) {
                return None;
            }
            (SigningAlgorithm::RS256, "RS256", Algorithm::RS256, Ok(DecodingKey::from_rsa_raw_components(&n, &e)))
        }
        ("EC", Some("P-256")) => {
            let key = DecodingKey::from_ec_components(text("x")?, text("y")?);
            (SigningAlgorithm::ES256, "ES256", Algorithm::ES256, key)
        }
        ("OKP", Some("Ed25519")) => {
            (SigningAlgorithm::EdDSA, "EdDSA", Algorithm::EdDSA, DecodingKey::from_ed_components(text("x")?))
        }
        _ => return None,
    };
    let agrees = text("alg").is_none_or(|alg| alg == name);
    if !agrees || !issuer.algorithms.contains(&kind) {
        return None;
    }
    Some((kid.to_owned(), key.ok()?, algorithm))
}

/// An integer of a key, without leading zeros. RFC 7518 allows none, and warns that some libraries write one.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn may_verify(jwk: &Value) -> bool {
    match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify")),
    }
}
