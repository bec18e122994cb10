//! All contexts in one process: what `jumak up` runs, and what tests run against.
//!
//! It is the same code as in the mesh, put together otherwise. Each context has its own SQLite file, its own keys, limits and
//! circuits; they call each other through the same client and server layers, with the socket left out; and the bus is a file
//! beside theirs. Nothing is shared but the listener, the loops' supervision and the clock.

mod keys;
mod options;
mod start;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use mesh::{Database, Role, auth::verify::user_name, config::Config, tls::Tls};
use tempfile::TempDir;

pub use self::{
    keys::{Keyring, config_option, data_option},
    options::{Data, Options},
    start::open_database,
};
use crate::house::House;
pub use crate::house::{DataFolder, LOCK_FILE, Lock, Member};

/// A running system, to be ended with [`stop`](Self::stop): its loops would outlive it otherwise.
#[derive(Debug)]
pub struct System {
    config: Config,
    folder: DataFolder,
    keys: Keyring,
    house: House,
    lock: Lock,
    ephemeral: Option<TempDir>,
}

impl System {
    /// Starts a system, and returns when it takes calls.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        start::start(options).await
    }

    /// Where it takes calls.
    pub fn address(&self) -> SocketAddr {
        self.house.address()
    }

    /// The certificates that it shows.
    pub fn tls(&self) -> &Tls {
        self.house.tls()
    }

    /// How it is configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder with its data.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// A token for the person `subject`, as `jumak token` prints it.
    pub fn mint(&self, subject: &str, roles: &[Role], lifetime: Duration) -> anyhow::Result<String> {
        self.keys.mint(subject, roles, lifetime)
    }

    /// The name, `users/…`, of the person for whom tokens with this `subject` are minted.
    pub fn user(&self, subject: &str) -> String {
        user_name(&self.config.auth.issuer, subject)
    }

    /// The database of a context, if the context runs here.
    pub fn database(&self, context: &str) -> Option<&Database> {
        self.house.database(context)
    }

    /// From now on the other contexts' calls to `context` find nobody, as if its process had stopped. Calls over the socket and its
    /// own loops are not touched.
    pub fn cut_off(&self, context: &str) {
        self.house.cut_off(context);
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub fn reconnect(&self, context: &str) {
        self.house.reconnect(context);
    }

    /// Resolves if the listener ends by itself, which it does only when it fails.
    pub async fn ended(&self) {
        self.house.ended().await;
    }

    /// Stops in an order in which nothing is cut short that could be finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { house, lock, ephemeral, .. } = self;
        let stopped = house.stop().await;
        // Let go of before it is removed.
        drop(lock);
        if let Some(folder) = ephemeral {
            folder.close().context("the temporary folder was not removed")?;
        }
        stopped
    }
}
