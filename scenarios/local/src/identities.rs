//! The keys of the issuer and of every context, made by the same code as in `jumak up`.

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

/// The files of all keys.
#[derive(Debug)]
pub(crate) struct Identities {
    pub issuer: PathBuf,
    pub issuer_public: PathBuf,
    pub private: BTreeMap<Member, PathBuf>,
    pub public: BTreeMap<Member, PathBuf>,
}

impl Identities {
    /// Makes the missing keys in `folder`, and writes the public keys beside the private ones.
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

/// Writes a public key beside the file of its private key.
fn publish(private: &Path, key: &PublicKey) -> anyhow::Result<PathBuf> {
    let path = private.with_extension("pub.pem");
    files::write(&path, &key.to_pem()?)?;
    Ok(path)
}
