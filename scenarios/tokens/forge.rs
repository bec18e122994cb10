//! Makes tokens by hand, good and bad, from the keys in a system's folder.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{DecodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use hmac::{Hmac, Mac};
use jiff::Zoned;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::Inn;

/// Somebody's key.
#[derive(Clone)]
pub struct Key {
    key: SigningKey,
    /// The id under which it is known.
    pub kid: String,
}

impl Key {
    /// The key of a system's issuer (`issuer`) or of one of its contexts.
    pub fn of(inn: &Inn, owner: &str) -> Self {
        let file = inn.folder().key_file(owner);
        let kid = mesh::auth::keys::SigningKey::load(&file).expect("a key").kid().to_owned();
        let pem = std::fs::read_to_string(file).expect("a key file");
        Self { key: SigningKey::from_pkcs8_pem(&pem).expect("a key"), kid }
    }

    /// A key that nobody trusts.
    pub fn unknown() -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        Self { key, kid: "bm9ib2R5IGtub3dzIHRoaXMga2V5".to_owned() }
    }

    /// The same key under the id of another.
    pub fn posing_as(self, other: &Self) -> Self {
        Self { kid: other.kid.clone(), ..self }
    }

    pub fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid})
    }

    /// The public half as a JWK, as an attacker would send it along.
    pub fn jwk(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": self.kid, "x": x})
    }

    /// What of the key everybody may know, in the forms in which it is handed around.
    pub fn public_forms(&self) -> [Vec<u8>; 3] {
        let public = self.key.verifying_key();
        let pem = public.to_public_key_pem(LineEnding::LF).expect("PEM");
        [public.as_bytes().to_vec(), pem.trim().as_bytes().to_vec(), pem.into_bytes()]
    }

    /// A token as it ought to be signed.
    pub fn signs(&self, claims: &Value) -> String {
        self.signs_under(&self.header(), &claims.to_string())
    }

    /// A token with this header and this text for its claims.
    pub fn signs_under(&self, header: &Value, claims: &str) -> String {
        token(header, claims, |message| self.key.sign(message).to_bytes().to_vec())
    }
}

/// A token that an HMAC over it vouches for.
pub fn with_hmac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    token(header, &claims.to_string(), |message| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a MAC takes any key");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    })
}

/// A token that nothing vouches for.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    token(header, &claims.to_string(), |_| Vec::new())
}

fn token(header: &Value, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
    let signature = encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// The claims of a person whom the issuer knows.
pub fn a_person(roles: &[&str]) -> Value {
    let now = now();
    json!({"iss": "jumak", "sub": "alice", "aud": "jumak", "iat": now, "exp": now + 600, "roles": roles})
}

/// The claims of a context that calls another.
pub fn a_context(name: &str, callee: &str) -> Value {
    let now = now();
    json!({
        "iss": format!("contexts/{name}"), "sub": name, "aud": format!("contexts/{callee}"), "iat": now, "exp": now + 60
    })
}

/// The claims with one of them set, or taken away by null.
pub fn but(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    let object = claims.as_object_mut().expect("an object");
    match value.into() {
        Value::Null => drop(object.remove(name)),
        value => drop(object.insert(name.to_owned(), value)),
    }
    claims
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Zoned::now().timestamp().as_second()
}
