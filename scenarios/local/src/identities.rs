//! Everybody's keys, made by the same code as those of `jumak up`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jumak::{
    embedded::Keyring,
    house::{DataFolder, Member},
};
use mesh::{auth::keys::PublicKey, config::AuthConfig};

use crate::files;

/// Where everybody's keys are.
#[derive(Debug)]
pub(crate) struct Identities {
    pub issuer: PathBuf,
    pub issuer_public: PathBuf,
    pub private: BTreeMap<Member, PathBuf>,
    pub public: BTreeMap<Member, PathBuf>,
}

impl Identities {
    /// Makes the keys in `folder` that are not there, and puts their public halves beside them.
    pub fn make(folder: &DataFolder) -> anyhow::Result<Self> {
        let keys = Keyring::open(folder, &AuthConfig::default(), Member::ALL.map(Member::name))?;
        let (mut private, mut public) = (BTreeMap::new(), BTreeMap::new());
        for member in Member::ALL {
            let key = keys.public_key_of(member.name()).with_context(|| format!("{member} has no key"))?;
            let path = folder.key_file(member.name());
            public.insert(member, publish(&path, key)?);
            private.insert(member, path);
        }
        let issuer = folder.key_file("issuer");
        Ok(Self { issuer_public: publish(&issuer, keys.issuer())?, issuer, private, public })
    }
}

/// Puts a public key beside the file of its private one.
fn publish(private: &Path, key: &PublicKey) -> anyhow::Result<PathBuf> {
    let path = private.with_extension("pub.pem");
    files::write(&path, &key.to_pem()?)?;
    Ok(path)
}
