//! Signatures of tokens, by ring, which is here anyhow for TLS. `jsonwebtoken` knows how a token is built and asks us to sign and to
//! verify; its own implementations would bring along every algorithm that a token may name, in some forty crates.
//!
//! What is signed here is signed with Ed25519. What is verified is signed with that, or with RS256 or ES256 by an OpenID Connect
//! provider.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey, Header, TokenData, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result, new_error},
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::{Serialize, de::DeserializeOwned};
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

/// The token of these claims, signed by `key`.
pub(super) fn encode(header: &Header, claims: &impl Serialize, key: &EncodingKey) -> Result<String> {
    install();
    jsonwebtoken::encode(header, claims, key)
}

/// What stands in `token`, if `key` signed it and its claims are what `validation` demands.
pub(super) fn decode<C: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<TokenData<C>> {
    install();
    jsonwebtoken::decode(token, key, validation)
}

/// Has `jsonwebtoken` sign and verify here, which it has to be told once in a process.
fn install() {
    PROVIDER.install_default().ok();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes());
            Ok(Box::new(Ed25519(pair.map_err(|_| new_error(ErrorKind::InvalidEddsaKey))?)))
        }
        #[cfg(test)]
        _ => tests::signer(*algorithm, key),
        #[cfg(not(test))]
        _ => Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    }
}

struct Ed25519(Ed25519KeyPair);

impl Signer<Vec<u8>> for Ed25519 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Ed25519 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match (algorithm, key.family()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed)
        | (Algorithm::ES256, AlgorithmFamily::Ec)
        | (Algorithm::RS256, AlgorithmFamily::Rsa) => {
            Ok(Box::new(Verifies { algorithm: *algorithm, key: key.kind().clone() }))
        }
        _ => Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    }
}

struct Verifies {
    algorithm: Algorithm,
    key: DecodingKeyKind,
}

impl Verifier<Vec<u8>> for Verifies {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match (self.algorithm, &self.key) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            _ => return Err(Error::new()),
        };
        verified.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Verifies {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use ring::{
        hmac,
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
    };

    use super::*;

    /// As OpenID Connect providers sign.
    pub(super) fn signer(algorithm: Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
        let pair = match algorithm {
            Algorithm::ES256 => {
                let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
                Provider::Ec(EcdsaKeyPair::from_pkcs8(kind, key.as_bytes(), &random).unwrap())
            }
            Algorithm::RS256 => Provider::Rsa(Box::new(RsaKeyPair::from_der(key.as_bytes()).unwrap())),
            Algorithm::HS256 => Provider::Secret(algorithm, hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())),
            Algorithm::HS512 => Provider::Secret(algorithm, hmac::Key::new(hmac::HMAC_SHA512, key.as_bytes())),
            _ => return Err(new_error(ErrorKind::UnsupportedAlgorithm)),
        };
        Ok(Box::new(pair))
    }

    enum Provider {
        Ec(EcdsaKeyPair),
        Rsa(Box<RsaKeyPair>),
        /// As a forger signs, with a public key for a secret.
        Secret(Algorithm, hmac::Key),
    }

    impl Signer<Vec<u8>> for Provider {
        fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
            let random = SystemRandom::new();
            Ok(match self {
                Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
                Self::Secret(_, secret) => hmac::sign(secret, message).as_ref().to_vec(),
                Self::Rsa(pair) => {
                    let mut signature = vec![0; pair.public().modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                    signature
                }
            })
        }
    }

    impl JwtSigner for Provider {
        fn algorithm(&self) -> Algorithm {
            match self {
                Self::Ec(_) => Algorithm::ES256,
                Self::Rsa(_) => Algorithm::RS256,
                Self::Secret(algorithm, _) => *algorithm,
            }
        }
    }
}
