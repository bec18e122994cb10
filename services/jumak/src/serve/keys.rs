//! Reads the configured keys.

use std::path::Path;

use anyhow::Context as _;
use mesh::{
    auth::keys::{PublicKey, SigningKey},
    config::{ContextConfig, is_pem},
    text,
};

/// The context's own key, if one is configured.
pub(super) fn private(context: &ContextConfig) -> anyhow::Result<Option<SigningKey>> {
    Ok(match (&context.key, &context.key_file) {
        (Some(pem), _) => Some(SigningKey::from_pem(pem)?),
        (None, Some(file)) => Some(SigningKey::load(file)?),
        (None, None) => None,
    })
}

/// The public keys in a list of files and PEM texts.
pub(super) fn public(list: &[String]) -> anyhow::Result<Vec<PublicKey>> {
    list.iter().map(|one| read(one)).collect()
}

fn read(one: &str) -> anyhow::Result<PublicKey> {
    if is_pem(one) {
        return Ok(PublicKey::from_pem(one)?);
    }
    let pem = text::read(Path::new(one)).with_context(|| format!("failed to read the file {one}"))?;
    PublicKey::from_pem(&pem).with_context(|| format!("the file {one} holds no public key"))
}
