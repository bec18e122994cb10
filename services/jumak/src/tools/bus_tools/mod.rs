//! Commands for an operator of the bus, which work while a system runs: show and replay dead letters, and publish a context's events
//! again.

mod dead_letters;
mod republish;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use mesh::{
    bus::{SharedBus, embedded::EmbeddedBus, jetstream::JetStreamBus},
    config::Config,
};
use tokio::time::{Instant, sleep};

pub use self::{
    dead_letters::{Args as DeadLettersArgs, run as dead_letters},
    republish::{Args as RepublishArgs, run as republish},
};
use crate::house::DataFolder;

/// The client's name at a broker without users.
const CLIENT: &str = "operator";
/// How long to wait for a broker.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// Opens the configured bus, or else the one in the data folder. A process may be using it.
pub(crate) async fn open(config: &Config, folder: &DataFolder) -> anyhow::Result<SharedBus> {
    if config.bus.urls().is_empty() {
        folder.version()?;
        let file = folder.bus_file();
        let bus = EmbeddedBus::open_beside(&file).await;
        let bus = bus.with_context(|| format!("bus.url is not set, and there is no bus in {}", file.display()))?;
        return Ok(Arc::new(bus));
    }
    let user = config.bus.user.as_deref().unwrap_or(CLIENT);
    let bus = JetStreamBus::connect(&config.bus, user).await?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = bus.ready().await {
        if Instant::now() >= deadline {
            return Err(error.into());
        }
        sleep(LOOK).await;
    }
    Ok(Arc::new(bus))
}
