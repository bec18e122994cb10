//! Public keys in the settings: files, or the PEM texts themselves, one or many.

use mesh_foundation::findings::Findings;
use serde::{Deserialize, Deserializer};

use crate::auth::keys::PublicKey;

/// Keys of one issuer or context: two while one is being replaced, and room for a mistake.
const MAX_PUBLIC_KEYS: usize = 8;
/// What every PEM text begins with, and no path.
const PEM: &str = "-----BEGIN ";

/// Whether this is a PEM text, rather than the path of a file with one.
pub fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with(PEM)
}

/// Checks the keys that are in the configuration itself; files are read where they are used.
pub fn check_public_keys(found: &mut Findings, key: &str, public_keys: &[String]) {
    found.unless(public_keys.len() <= MAX_PUBLIC_KEYS, key, format!("has more than {MAX_PUBLIC_KEYS}"));
    let readable = public_keys.iter().filter(|text| is_pem(text)).all(|pem| PublicKey::from_pem(pem).is_ok());
    found.unless(readable, key, "has a PEM text that is not an Ed25519 public key");
    found.unless(public_keys.iter().all(|text| !text.trim().is_empty()), key, "has an empty entry");
}

/// A list, or the one thing that would stand in it: the environment has no handy way to write a list.
pub fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}
