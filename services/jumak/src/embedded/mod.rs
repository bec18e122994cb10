//! All contexts in one process: `jumak up` runs this, and so do tests.
//!
//! The code is the same as in the mesh. Each context has its own SQLite file, keys, limits and circuit breakers. Contexts call each other
//! through the same client and server layers, without a socket. The bus is another SQLite file. The contexts share only the listener,
//! the supervision of loops and the clock.

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

/// A running system. End it with [`stop`](Self::stop); otherwise its loops keep running.
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

    /// The address on which it takes calls.
    pub fn address(&self) -> SocketAddr {
        self.house.address()
    }

    /// Its certificates.
    pub fn tls(&self) -> &Tls {
        self.house.tls()
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder with its data.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// A token for the user `subject`, as `jumak token` prints it.
    pub fn mint(&self, subject: &str, roles: &[Role], lifetime: Duration) -> anyhow::Result<String> {
        self.keys.mint(subject, roles, lifetime)
    }

    /// The resource name, `users/…`, of the user whose tokens have this `subject`.
    pub fn user(&self, subject: &str) -> String {
        user_name(&self.config.auth.issuer, subject)
    }

    /// The database of a context, if the context runs here.
    pub fn database(&self, context: &str) -> Option<&Database> {
        self.house.database(context)
    }

    /// Makes the other contexts' calls to `context` fail, as if its process had stopped. Calls over the socket and its own loops are not
    /// affected.
    pub fn cut_off(&self, context: &str) {
        self.house.cut_off(context);
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub fn reconnect(&self, context: &str) {
        self.house.reconnect(context);
    }

    /// Resolves if the listener fails.
    pub async fn ended(&self) {
        self.house.ended().await;
    }

    /// Drains and stops: calls in hand and the work that they have begun are finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { house, lock, ephemeral, .. } = self;
        let stopped = house.stop().await;
        // Released before the folder is removed.
        drop(lock);
        if let Some(folder) = ephemeral {
            folder.close().context("failed to remove the temporary folder")?;
        }
        stopped
    }
}
