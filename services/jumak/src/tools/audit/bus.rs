//! Reads the bus for the audit: a SQLite file beside the databases, or a broker.

use anyhow::{Context as _, bail};
use mesh::{
    Database,
    bus::{
        SharedBus,
        embedded::backlog::{Backlog, backlogs, newest},
    },
    config::Config,
    store::version,
};

use uuid::Uuid;

use super::OutboxEvent;
use crate::{bus_tools, house::DataFolder};

/// The most dead letters that are read. A single one is already a finding.
const MAX_DEAD_LETTERS: u64 = 1_000;

/// Whether a system may be running on this data. For a mesh it cannot be determined, so it counts as running.
pub(super) fn is_live(folder: &DataFolder, config: &Config) -> anyhow::Result<bool> {
    if is_broker(config) { Ok(true) } else { folder.is_locked() }
}

/// The bus, opened for reading.
pub(super) enum BusReader {
    /// In the data folder.
    File(Database),
    /// On a broker.
    Broker(SharedBus),
}

impl BusReader {
    /// Opens the configured bus, or else the one in `folder`.
    pub async fn open(folder: &DataFolder, config: &Config) -> anyhow::Result<Self> {
        if is_broker(config) {
            return Ok(Self::Broker(bus_tools::open(config, folder).await?));
        }
        if !folder.bus_file().exists() {
            bail!("there is no data folder of jumak at {}; name one with --data", folder.path().display());
        }
        folder.version()?;
        let unreadable = "failed to read the bus";
        let database = Database::open_file_to_read(&folder.bus_file(), 1).await.context(unreadable)?;
        version::check(database.read()).await.context(unreadable)?;
        Ok(Self::File(database))
    }

    /// The backlog of each of `consumers`. A consumer that the bus does not know is left out.
    pub async fn backlogs(&self, consumers: &[String], events: &[OutboxEvent]) -> anyhow::Result<Vec<Backlog>> {
        match self {
            Self::File(database) => {
                Ok(backlogs(database).await?.into_iter().filter(|one| consumers.contains(&one.consumer)).collect())
            }
            Self::Broker(bus) => of_broker(bus, consumers, events).await,
        }
    }

    /// The newest event of `context` that the bus has.
    pub async fn newest(&self, context: &str) -> anyhow::Result<Option<Uuid>> {
        Ok(match self {
            Self::File(database) => newest(database, context).await?,
            Self::Broker(bus) => bus.newest(context).await?,
        })
    }

    pub async fn close(self) {
        match self {
            Self::File(database) => database.close().await,
            Self::Broker(_) => {}
        }
    }
}

fn is_broker(config: &Config) -> bool {
    !config.bus.urls().is_empty()
}

async fn of_broker(bus: &SharedBus, consumers: &[String], events: &[OutboxEvent]) -> anyhow::Result<Vec<Backlog>> {
    let dead = bus.dead_letters(MAX_DEAD_LETTERS).await?;
    let mut times: Vec<_> = events.iter().map(|event| event.occur_time).collect();
    times.sort_unstable_by(|one, other| other.cmp(one));
    let mut backlogs = Vec::with_capacity(consumers.len());
    for consumer in consumers {
        let waiting = match bus.pending(consumer).await {
            Ok(waiting) => waiting,
            Err(error) => {
                // The broker has just answered, so it does not know this consumer.
                tracing::debug!(consumer, error = &error as &dyn std::error::Error, "failed to read the consumer");
                continue;
            }
        };
        // A broker returns the number of waiting events, but not their age. If n events wait, the oldest of them is not newer than the
        // n-th newest event of all outboxes.
        let oldest = usize::try_from(waiting).ok().and_then(|waiting| times.get(waiting.checked_sub(1)?));
        backlogs.push(Backlog {
            consumer: consumer.clone(),
            waiting,
            oldest: oldest.or(times.last().filter(|_| waiting > 0)).copied(),
            dead_letters: dead.iter().filter(|one| one.consumer == *consumer).map(|one| one.reason.clone()).collect(),
        });
    }
    Ok(backlogs)
}
