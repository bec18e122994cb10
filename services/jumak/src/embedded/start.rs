//! Starts a system in this order: folder, listener, databases, bus, contexts with their loops. Then it is ready.

use std::sync::Arc;

use anyhow::Context as _;
use mesh::{
    Database,
    bus::{SharedBus, embedded::EmbeddedBus},
    config::Config,
};

use super::{
    System,
    keys::Keyring,
    options::{Data, Options},
};
use crate::house::{self, DataFolder, Front, House, Member, Tenant};

pub(super) async fn start(options: Options) -> anyhow::Result<System> {
    let Options { config_file, config, data, clock, members } = options;

    let (folder, ephemeral) = match data {
        Data::Folder(path) => (DataFolder::at(path), None),
        Data::Ephemeral => {
            let temporary =
                tempfile::Builder::new().prefix("jumak-").tempdir().context("failed to make a temporary folder")?;
            (DataFolder::at(temporary.path()), Some(temporary))
        }
    };
    // The two steps that fail most often come first, before any data is changed.
    let mut lock = folder.lock()?;
    let front = Front::open(&config, &members).await?;

    let keys = Keyring::open(&folder, &config.auth, members.iter().map(|member| member.name()))?
        .configured_by(&folder, config_file.as_deref())?;
    lock.goes_by(keys.issuer().kid());
    let mut tenants = Vec::with_capacity(members.len());
    for member in members {
        let (database, steps) = open_database(member, &folder, &config).await?;
        tracing::debug!(context = member.name(), ?steps, "migrated");
        let tokens = Arc::new(keys.tokens_of(member.name())?);
        tenants.push(Tenant { member, database, tokens, trust: keys.trust_of(member.name()) });
    }
    folder.mark()?;
    folder.create_file(&folder.bus_file())?;
    let bus: SharedBus = Arc::new(EmbeddedBus::open(&folder.bus_file()).await.context("failed to open the bus")?);
    let house = House::start(front, tenants, Some(bus), clock, &config).await?;
    Ok(System { config, folder, keys, house, lock, ephemeral })
}

/// Opens and migrates the context's database: the configured one, or its file in the folder. Returns it with the applied steps.
pub async fn open_database(
    member: Member,
    folder: &DataFolder,
    config: &Config,
) -> anyhow::Result<(Database, Vec<String>)> {
    let database = house::open(member, Some(folder), config).await?;
    let steps = house::migrate(member, &database).await?;
    Ok((database, steps))
}
