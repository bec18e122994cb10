//! Where a story is told: on a system of its own, or on one that is running.

use std::time::Duration;

use mesh::{
    Role,
    config::{Config, TlsConfig},
};
use uuid::Uuid;

use super::people::{Lines, Person};
use crate::{
    audit::{self, Rule},
    cli::line,
    embedded::{DataFolder, Keyring, Options, System},
};

/// Longer than any story.
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a system may take to come to rest.
const REST: Duration = Duration::from_secs(60);

/// A system to tell a story on.
#[derive(Debug)]
pub struct Stage {
    lines: Lines,
    house: House,
    /// Tells this telling's people from those of any other.
    telling: String,
}

#[derive(Debug)]
enum House {
    Own(Box<System>),
    Others(Box<Keyring>),
}

impl Stage {
    /// A system that is gone afterwards.
    pub async fn of_its_own() -> anyhow::Result<Self> {
        let system = System::start(Options::ephemeral()).await?;
        let target = format!("http://{}", system.address());
        Ok(Self::new(line::connect(&target, &TlsConfig::default()).await?.into(), House::Own(Box::new(system))))
    }

    /// The system that takes calls at `target` and whose keys are in `folder`.
    pub async fn at(target: &str, folder: &DataFolder, config: &Config) -> anyhow::Result<Self> {
        let keys = Keyring::of_target(folder, &config.auth)?;
        Ok(Self::new(line::connect(target, &config.tls).await?.into(), House::Others(Box::new(keys))))
    }

    /// The mesh that `config`, which is its operator's, describes.
    pub async fn on_mesh(config: &Config) -> anyhow::Result<Self> {
        let keys = Keyring::of_target(&DataFolder::local_mesh()?, &config.auth)?;
        Ok(Self::new(Lines::of_mesh(config).await?, House::Others(Box::new(keys))))
    }

    fn new(lines: Lines, house: House) -> Self {
        Self { lines, house, telling: format!("{:08x}", Uuid::new_v4().as_fields().0) }
    }

    /// A person whom nobody has met before.
    pub fn person(&self, name: &str, roles: &[Role]) -> anyhow::Result<Person> {
        let subject = format!("{name}-{}", self.telling);
        let token = match &self.house {
            House::Own(system) => system.mint(&subject, roles, TOKEN_LIFETIME)?,
            House::Others(keys) => keys.mint(&subject, roles, TOKEN_LIFETIME)?,
        };
        Person::new(self.lines.clone(), &token)
    }

    /// Whether the system was started for the story.
    pub fn is_its_own(&self) -> bool {
        matches!(self.house, House::Own(_))
    }

    /// A text that no other telling uses.
    pub fn unique(&self, text: &str) -> String {
        format!("{text}-{}", self.telling)
    }

    /// Does something while none of `contexts` can be reached by the others, if that is this story's to decide.
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

    /// Proves the books once the house has come to rest, and tells how many things were checked; none if it is the house of others.
    pub async fn audit(&self) -> Option<anyhow::Result<u64>> {
        let House::Own(system) = &self.house else { return None };
        Some(prove(system).await)
    }

    /// Leaves nothing behind.
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
