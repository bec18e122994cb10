//! What is measured: a system of its own, or one that is running.

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
    cli::line::Dial,
    demo::people::{Lines, Person},
    embedded::{Keyring, Options, System},
    house::{DataFolder, Member},
};

/// The findings that a report repeats; `jumak audit` lists all of them.
const SHOWN: usize = 10;

/// A system under load.
#[derive(Debug)]
pub struct Target {
    owner: Owner,
    lines: Vec<Lines>,
    /// Tells this run's people from those of any other.
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
    /// A system that is gone afterwards, called over `connections`.
    pub async fn of_its_own(connections: usize) -> anyhow::Result<Self> {
        let system = System::start(Options::ephemeral()).await?;
        let target = format!("http://{}", system.address());
        let lines = connect(&target, &TlsConfig::default(), connections).await?;
        Ok(Self::new(lines.into_iter().map(Lines::from).collect(), Owner::Us(Box::new(system))))
    }

    /// The system that takes calls at `target` and whose keys, and perhaps books, are in `folder`.
    pub async fn at(target: &str, connections: usize, folder: DataFolder, config: Config) -> anyhow::Result<Self> {
        let lines = connect(target, &config.tls, connections).await?.into_iter().map(Lines::from).collect();
        let keys = Box::new(Keyring::of_target(&folder, &config.auth)?);
        let books = if folder.bus_file().exists() {
            Ok(Box::new((folder, config)))
        } else {
            let folder = folder.path().display();
            Err(format!("there are no books of the target in {folder}; name its folder with --data"))
        };
        Ok(Self::new(lines, Owner::Others { keys, books }))
    }

    /// The mesh that `config`, which is its operator's, describes.
    pub async fn mesh(connections: usize, config: Config) -> anyhow::Result<Self> {
        let mut lines = Vec::with_capacity(connections);
        let mut turned = config.clone();
        for _ in 0..connections {
            lines.push(Lines::of_mesh(&turned).await?);
            // The first address is called: the next connection's is another replica.
            for context in turned.contexts.values_mut().filter(|context| !context.addresses.is_empty()) {
                context.addresses.rotate_left(1);
            }
        }
        let folder = DataFolder::local_mesh()?;
        let keys = Box::new(Keyring::of_target(&folder, &config.auth)?);
        Ok(Self::new(lines, Owner::Others { keys, books: Ok(Box::new((folder, config))) }))
    }

    fn new(lines: Vec<Lines>, owner: Owner) -> Self {
        Self { owner, lines, run: format!("{:08x}", Uuid::new_v4().as_fields().0) }
    }

    /// A person whom nobody has met before, on connection number `line`, for so long.
    pub fn person(&self, name: &str, line: usize, roles: &[Role], lifetime: Duration) -> anyhow::Result<Person> {
        let subject = self.unique(name);
        let token = match &self.owner {
            Owner::Us(system) => system.mint(&subject, roles, lifetime)?,
            Owner::Others { keys, .. } => keys.mint(&subject, roles, lifetime)?,
        };
        let line = self.lines.get(line % self.lines.len().max(1)).context("there is no connection")?;
        Person::new(line.clone(), &token)
    }

    /// A text that no other run uses.
    pub fn unique(&self, text: &str) -> String {
        format!("{text}-{}", self.run)
    }

    /// Proves the books, which have `within` to come to rest; none if they cannot be read from here.
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

    /// How many charges are in the provider's own books; none if others use them as well, and nobody could tell whose they are.
    pub async fn charges(&self) -> anyhow::Result<Option<u64>> {
        let Owner::Us(system) = &self.owner else { return Ok(None) };
        let Some(database) = system.database(Member::PROVIDER.name()) else { return Ok(None) };
        Ok(Some(u64::try_from(provider::audit::charges(database).await?.len())?))
    }

    /// Leaves nothing behind of a system of its own.
    pub async fn clear(self) -> anyhow::Result<()> {
        match self.owner {
            Owner::Us(system) => system.stop().await,
            Owner::Others { .. } => Ok(()),
        }
    }
}

/// So many connections to `target`.
pub async fn connect(target: &str, tls: &TlsConfig, connections: usize) -> anyhow::Result<Vec<Channel>> {
    let dial = Dial::to(target, tls)?;
    let mut lines = Vec::with_capacity(connections);
    for _ in 0..connections {
        lines.push(dial.connect().await?);
    }
    Ok(lines)
}
