//! The system on which a story is played: a temporary one, or one that runs already.

use std::time::Duration;

use mesh::{
    Role,
    config::{Config, TlsConfig},
};
use uuid::Uuid;

use super::people::{Channels, Person};
use crate::{
    audit::{self, Rule},
    cli::connect,
    embedded::{DataFolder, Keyring, Options, System},
};

/// Longer than any story takes.
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a system may take to settle.
const REST: Duration = Duration::from_secs(60);

/// A system on which a story is played.
#[derive(Debug)]
pub struct Stage {
    channels: Channels,
    house: House,
    /// Makes the names of this run unique.
    run: String,
}

#[derive(Debug)]
enum House {
    Own(Box<System>),
    Others(Box<Keyring>),
}

impl Stage {
    /// A temporary system.
    pub async fn of_its_own() -> anyhow::Result<Self> {
        let system = System::start(Options::ephemeral()).await?;
        let target = format!("http://{}", system.address());
        Ok(Self::new(connect::connect(&target, &TlsConfig::default()).await?.into(), House::Own(Box::new(system))))
    }

    /// The system at `target`, whose keys are in `folder`.
    pub async fn at(target: &str, folder: &DataFolder, config: &Config) -> anyhow::Result<Self> {
        let keys = Keyring::of_target(folder, &config.auth)?;
        Ok(Self::new(connect::connect(target, &config.tls).await?.into(), House::Others(Box::new(keys))))
    }

    /// The mesh that its operator's `config` describes.
    pub async fn on_mesh(config: &Config) -> anyhow::Result<Self> {
        let keys = Keyring::of_target(&DataFolder::local_mesh()?, &config.auth)?;
        Ok(Self::new(Channels::of_mesh(config).await?, House::Others(Box::new(keys))))
    }

    fn new(channels: Channels, house: House) -> Self {
        Self { channels, house, run: format!("{:08x}", Uuid::new_v4().as_fields().0) }
    }

    /// A new user.
    pub fn person(&self, name: &str, roles: &[Role]) -> anyhow::Result<Person> {
        let subject = format!("{name}-{}", self.run);
        let token = match &self.house {
            House::Own(system) => system.mint(&subject, roles, TOKEN_LIFETIME)?,
            House::Others(keys) => keys.mint(&subject, roles, TOKEN_LIFETIME)?,
        };
        Person::new(self.channels.clone(), &token)
    }

    /// Whether the system was started for the story.
    pub fn is_its_own(&self) -> bool {
        matches!(self.house, House::Own(_))
    }

    /// A text that no other run uses.
    pub fn unique(&self, text: &str) -> String {
        format!("{text}-{}", self.run)
    }

    /// Runs `work` while the other contexts cannot reach any of `contexts`. On a system that runs already, nothing is cut off.
    pub async fn without<T>(
        &self,
        contexts: &[&str],
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let House::Own(system) = &self.house else { return work.await };
        for context in contexts {
            system.cut_off(context);
        }
        let outcome = work.await;
        for context in contexts {
            system.reconnect(context);
        }
        outcome
    }

    /// Audits the system once it has settled, and returns the number of checks; none if the system was not started for the story.
    pub async fn audit(&self) -> Option<anyhow::Result<u64>> {
        let House::Own(system) = &self.house else { return None };
        Some(prove(system).await)
    }

    /// Stops a temporary system and removes its data.
    pub async fn clear(self) -> anyhow::Result<()> {
        match self.house {
            House::Own(system) => system.stop().await,
            House::Others(_) => Ok(()),
        }
    }
}

async fn prove(system: &System) -> anyhow::Result<u64> {
    let verdict = audit::settle(system.folder(), system.config(), REST).await?;
    match verdict.findings.first() {
        None => Ok(Rule::ALL.iter().map(|rule| verdict.checked(*rule)).sum()),
        Some(first) => anyhow::bail!("expected no findings, saw {}: {first}", verdict.findings.len()),
    }
}
