//! The keys of an embedded system: the built-in issuer's, and one for each context.

use std::{collections::BTreeMap, path::Path, time::Duration};

use mesh::{
    Role,
    auth::{
        keys::{PublicKey, SigningKey},
        token::{Issuer, ServiceTokens},
        verify::{Trust, TrustedIssuer},
    },
    config::AuthConfig,
};

use crate::house::{DataFolder, ask_issuers};

/// The owner of the key that signs users' tokens.
const ISSUER: &str = "issuer";

/// All keys of one folder. Missing keys are made.
#[derive(Debug)]
pub struct Keyring {
    auth: AuthConfig,
    issuer: SigningKey,
    contexts: BTreeMap<&'static str, SigningKey>,
    hint: String,
}

impl Keyring {
    /// The issuer's key in `folder`, for tokens that the system on that folder accepts. A key is made only in an unused folder. In a used
    /// one,
    /// a new key would make tokens that a running system refuses.
    pub fn of_issuer(folder: &DataFolder, auth: &AuthConfig) -> anyhow::Result<Self> {
        let file = folder.key_file(ISSUER);
        let is_there = auth.issuer_key_file.is_some() || file.exists();
        let holder = folder.is_used().then(|| folder.holder()).transpose()?.flatten();
        match holder {
            _ if is_there || !folder.is_used() => {}
            Some(pid) => anyhow::bail!(
                "the issuer's key {} is gone, but the running jumak (process {pid}) still uses it; put the key back from a backup, or \
                 restart that jumak, which makes a new key and then refuses tokens of the old one",
                file.display()
            ),
            None => anyhow::bail!(
                "the issuer's key {} is gone; put it back from a backup, or start `jumak up`, which makes a new key and then refuses \
                 tokens of the old one",
                file.display()
            ),
        }
        let keys = Self::open(folder, auth, [])?;
        if let (Some(in_use), Some(pid)) = (folder.issuer_in_use()?, holder)
            && in_use != keys.issuer.kid()
        {
            let file = auth.issuer_key_file.as_deref().unwrap_or(&file);
            anyhow::bail!(
                "the issuer's key {} is not the key with which the jumak on {} (process {pid}) was started, so it would refuse the \
                 token; restart that jumak, or put the old key back",
                file.display(),
                folder.path().display()
            );
        }
        Ok(keys)
    }

    /// The issuer's key in `folder` for a system that runs elsewhere. The key must exist.
    pub fn of_target(folder: &DataFolder, auth: &AuthConfig) -> anyhow::Result<Self> {
        let file = folder.key_file(ISSUER);
        anyhow::ensure!(
            auth.issuer_key_file.is_some() || file.exists() || folder.is_used(),
            "the issuer's key {}, which signs the target's tokens, does not exist; name the target's data folder with --data",
            file.display()
        );
        Self::of_issuer(folder, auth)
    }

    /// The keys in `folder` of the issuer and of `contexts`. Missing keys are made.
    pub fn open(
        folder: &DataFolder,
        auth: &AuthConfig,
        contexts: impl IntoIterator<Item = &'static str>,
    ) -> anyhow::Result<Self> {
        let key = |owner: &str| SigningKey::load_or_create(&folder.key_file(owner));
        let contexts = contexts.into_iter().map(|name| Ok((name, key(name)?))).collect::<anyhow::Result<_>>()?;
        let hint = hint(auth, &data_option(folder)?);
        if auth.built_in && auth.issuer_key_file.is_none() && folder.is_used() && !folder.key_file(ISSUER).exists() {
            tracing::warn!("the issuer's key was missing; created a new one, and tokens of the old one are refused");
        }
        let issuer = match &auth.issuer_key_file {
            // Never made: other processes trust the public half of the configured key only.
            Some(file) => SigningKey::load(file)?,
            None => key(ISSUER)?,
        };
        Ok(Self { auth: auth.clone(), issuer, contexts, hint })
    }

    /// The same keys, with hints that name the configuration file too, because it may name the issuer.
    pub fn configured_by(self, folder: &DataFolder, config_file: Option<&Path>) -> anyhow::Result<Self> {
        let hint = hint(&self.auth, &(data_option(folder)? + &config_option(config_file)?));
        Ok(Self { hint, ..self })
    }

    /// The tokens with which `context` calls others.
    pub fn tokens_of(&self, context: &'static str) -> anyhow::Result<ServiceTokens> {
        let key = self.contexts.get(context).ok_or_else(|| anyhow::anyhow!("the context {context} has no key"))?;
        Ok(ServiceTokens::new(context, key.clone()))
    }

    /// The issuer and contexts whose tokens `context` accepts: the built-in issuer and every context of this process. The callee's access
    /// table decides what each may call.
    pub fn trust_of(&self, context: &'static str) -> Trust {
        let issuer = TrustedIssuer {
            name: self.auth.issuer.clone(),
            audience: self.auth.audience.clone(),
            keys: vec![self.issuer.public().clone()],
        };
        let contexts = self.contexts.iter().map(|(name, key)| ((*name).to_owned(), vec![key.public().clone()]));
        Trust {
            context: context.to_owned(),
            issuers: Vec::from_iter(self.auth.built_in.then_some(issuer)),
            contexts: contexts.collect(),
            hint: self.hint.clone(),
        }
    }

    /// The public half of the issuer's key.
    pub fn issuer(&self) -> &PublicKey {
        self.issuer.public()
    }

    /// The public half of a context's key, if it is among these.
    pub fn public_key_of(&self, context: &str) -> Option<&PublicKey> {
        self.contexts.get(context).map(SigningKey::public)
    }

    /// A token for the user `subject`.
    pub fn mint(&self, subject: &str, roles: &[Role], lifetime: Duration) -> anyhow::Result<String> {
        let issuer = Issuer::new(&self.auth.issuer, &self.auth.audience, self.issuer.clone());
        Ok(issuer.mint_user(subject, roles, lifetime)?)
    }
}

/// The hint for a client without a valid token.
fn hint(auth: &AuthConfig, options: &str) -> String {
    if !auth.built_in {
        return ask_issuers(auth);
    }
    format!(
        "get one with `jumak token --user alice --roles guest,host{options}` and send it as `authorization: Bearer …`"
    )
}

/// ` --config …` for a command line, if there is such a file.
pub fn config_option(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else { return Ok(String::new()) };
    let path = std::path::absolute(file)?;
    Ok(format!(" --config {}", crate::cli::shell::word(&path.to_string_lossy())))
}

/// ` --data …` for a command line, unless the folder is the default.
pub fn data_option(folder: &DataFolder) -> anyhow::Result<String> {
    if DataFolder::default_path().is_ok_and(|default| default == folder.path()) {
        return Ok(String::new());
    }
    // Absolute, because the command may be typed in another working directory.
    let path = std::path::absolute(folder.path())?;
    Ok(format!(" --data {}", crate::cli::shell::word(&path.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use mesh::config::IssuerConfig;

    use super::*;

    #[test]
    fn the_hint_for_a_token_names_the_data_folder_and_the_configuration_file() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path());
        let keys = Keyring::open(&folder, &AuthConfig::default(), ["room"]).unwrap();
        let keys = keys.configured_by(&folder, Some(Path::new("/etc/the jumak.toml"))).unwrap();
        let hint = keys.trust_of("room").hint;
        assert!(hint.contains("--data /") && hint.contains("--config '/etc/the jumak.toml'"), "{hint}");
    }

    #[test]
    fn the_hint_for_a_token_names_only_trusted_issuers() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(parent.path());
        let provider = IssuerConfig { issuer: "https://id.example".to_owned(), ..IssuerConfig::default() };
        let auth = AuthConfig { built_in: false, issuers: vec![provider], ..AuthConfig::default() };
        let keys = Keyring::open(&folder, &auth, ["room"]).unwrap().configured_by(&folder, None).unwrap();
        let hint = keys.trust_of("room").hint;
        assert!(hint.contains("https://id.example") && !hint.contains("jumak token"), "{hint}");
    }
}
