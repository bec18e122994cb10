//! The system that is measured: a temporary one, or one that runs already.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use mesh::{
    Role,
    config::{Config, TlsConfig},
};
use tonic::transport::Channel;
use uuid::Uuid;

use super::report::Books;
use crate::{
    audit::{self, Rule},
    cli::connect::Dialer,
    demo::people::{Channels, Person},
    embedded::{Keyring, Options, System},
    house::{DataFolder, Member},
};

/// How many findings a report shows; `jumak audit` lists all of them.
const SHOWN: usize = 10;

/// A system under load.
#[derive(Debug)]
pub struct Target {
    owner: Owner,
    channels: Vec<Channels>,
    /// Makes the names of this run unique.
    run: String,
}

#[derive(Debug)]
enum Owner {
    /// Started for the run.
    Us(Box<System>),
    /// Running already.
    Others { keys: Box<Keyring>, books: Result<Box<(DataFolder, Config)>, String> },
}

impl Target {
    /// A temporary system, called over `connections`.
    pub async fn of_its_own(connections: usize) -> anyhow::Result<Self> {
        let system = System::start(Options::ephemeral()).await?;
        let target = format!("http://{}", system.address());
        let channels = connect(&target, &TlsConfig::default(), connections).await?;
        Ok(Self::new(channels.into_iter().map(Channels::from).collect(), Owner::Us(Box::new(system))))
    }

    /// The system at `target`, whose keys, and perhaps data, are in `folder`.
    pub async fn at(target: &str, connections: usize, folder: DataFolder, config: Config) -> anyhow::Result<Self> {
        let channels = connect(target, &config.tls, connections).await?.into_iter().map(Channels::from).collect();
        let keys = Box::new(Keyring::of_target(&folder, &config.auth)?);
        let books = if has_books(&folder, &config) {
            Ok(Box::new((folder, config)))
        } else {
            let folder = folder.path().display();
            Err(format!("the target's data is not in {folder}; name its folder with --data"))
        };
        Ok(Self::new(channels, Owner::Others { keys, books }))
    }

    /// The mesh that its operator's `config` describes.
    pub async fn mesh(connections: usize, config: Config) -> anyhow::Result<Self> {
        let mut channels = Vec::with_capacity(connections);
        let mut turned = config.clone();
        for _ in 0..connections {
            channels.push(Channels::of_mesh(&turned).await?);
            // A connection calls the first address. Rotating the list gives the next connection another replica.
            for context in turned.contexts.values_mut().filter(|context| !context.addresses.is_empty()) {
                context.addresses.rotate_left(1);
            }
        }
        let folder = DataFolder::local_mesh()?;
        let keys = Box::new(Keyring::of_target(&folder, &config.auth)?);
        Ok(Self::new(channels, Owner::Others { keys, books: Ok(Box::new((folder, config))) }))
    }

    fn new(channels: Vec<Channels>, owner: Owner) -> Self {
        Self { owner, channels, run: format!("{:08x}", Uuid::new_v4().as_fields().0) }
    }

    /// A new user, on connection number `line`, with a token that is valid for `lifetime`.
    pub fn person(&self, name: &str, line: usize, roles: &[Role], lifetime: Duration) -> anyhow::Result<Person> {
        let subject = self.unique(name);
        let token = match &self.owner {
            Owner::Us(system) => system.mint(&subject, roles, lifetime)?,
            Owner::Others { keys, .. } => keys.mint(&subject, roles, lifetime)?,
        };
        let line = self.channels.get(line % self.channels.len().max(1)).context("there is no connection")?;
        Person::new(line.clone(), &token)
    }

    /// A text that no other run uses.
    pub fn unique(&self, text: &str) -> String {
        format!("{text}-{}", self.run)
    }

    /// Audits the system, which may take `within` to settle. Skipped if the data cannot be read from here.
    pub async fn books(&self, within: Duration) -> anyhow::Result<Books> {
        let (folder, config) = match &self.owner {
            Owner::Us(system) => (system.folder(), system.config()),
            Owner::Others { books: Ok(books), .. } => (&books.0, &books.1),
            Owner::Others { books: Err(why), .. } => return Ok(Books::Unread { skipped: why.clone() }),
        };
        let begun = Instant::now();
        let verdict = audit::settle(folder, config, within).await?;
        Ok(Books::Read {
            settled_s: begun.elapsed().as_secs_f64(),
            checks: Rule::ALL.iter().map(|rule| verdict.checked(*rule)).sum(),
            findings: verdict.findings.len(),
            first_findings: verdict.findings.iter().take(SHOWN).map(ToString::to_string).collect(),
        })
    }

    /// The number of charges in the provider's books. None if other clients use the system, because their charges cannot be distinguished.
    pub async fn charges(&self) -> anyhow::Result<Option<u64>> {
        let Owner::Us(system) = &self.owner else { return Ok(None) };
        let Some(database) = system.database(Member::PROVIDER.name()) else { return Ok(None) };
        Ok(Some(u64::try_from(provider::audit::charges(database).await?.len())?))
    }

    /// Stops a temporary system and removes its data.
    pub async fn clear(self) -> anyhow::Result<()> {
        match self.owner {
            Owner::Us(system) => system.stop().await,
            Owner::Others { .. } => Ok(()),
        }
    }
}

/// Whether the books of a running system can be read from here: its bus, without which they are not whole, is a file in that folder, or a
/// broker that the configuration names.
fn has_books(folder: &DataFolder, config: &Config) -> bool {
    !config.bus.urls().is_empty() || folder.bus_file().exists()
}

/// Makes `connections` connections to `target`.
pub async fn connect(target: &str, tls: &TlsConfig, connections: usize) -> anyhow::Result<Vec<Channel>> {
    let dial = Dialer::to(target, tls)?;
    let mut channels = Vec::with_capacity(connections);
    for _ in 0..connections {
        channels.push(dial.connect().await?);
    }
    Ok(channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_are_where_the_bus_is() {
        let place = tempfile::tempdir().unwrap();
        let (folder, mut config) = (DataFolder::at(place.path()), Config::default());
        assert!(!has_books(&folder, &config));
        config.bus.url = Some("nats://127.0.0.1:4222".to_owned());
        assert!(has_books(&folder, &config), "a broker has the bus, and the databases may be anywhere");
        config.bus.url = None;
        std::fs::write(folder.bus_file(), "").unwrap();
        assert!(has_books(&folder, &config));
    }
}
