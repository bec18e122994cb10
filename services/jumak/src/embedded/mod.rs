//! All contexts in one process: what `jumak up` runs, and what tests run against.
//!
//! It is the same code as in the mesh, put together otherwise. Each context has its own SQLite file, its own keys, limits and
//! circuits; they call each other through the same client and server layers, with the socket left out; and the bus is a file
//! beside theirs. Nothing is shared but the listener, the loops' supervision and the clock.

mod contexts;
mod folder;
mod keys;
mod options;
mod start;
mod stop;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use mesh::{
    Database, Role,
    auth::verify::user_name,
    background::Background,
    client::InProcess,
    config::Config,
    server::{ContextService, ServeError},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::{
    contexts::{Hearing, Member, Optional},
    folder::{DataFolder, LOCK_FILE, Lock},
    keys::{Keyring, config_option, data_option},
    options::{Data, Options},
    start::open_database,
};

/// A running system, to be ended with [`stop`](Self::stop): its loops would outlive it otherwise.
#[derive(Debug)]
pub struct System {
    config: Config,
    address: SocketAddr,
    folder: DataFolder,
    keys: Keyring,
    databases: BTreeMap<&'static str, Database>,
    services: BTreeMap<&'static str, ContextService>,
    registry: InProcess,
    background: Background,
    serving: Serving,
    lock: Lock,
    ephemeral: Option<TempDir>,
}

/// The listener's task, and what ends it.
#[derive(Debug)]
struct Serving {
    stop: CancellationToken,
    ended: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl System {
    /// Starts a system, and returns when it takes calls.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        start::start(options).await
    }

    /// Where it takes calls.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        self.databases.get(context)
    }

    /// From now on the other contexts' calls to `context` find nobody, as if its process had stopped. Calls over the socket and its
    /// own loops are not touched.
    pub fn cut_off(&self, context: &str) {
        self.registry.remove(context);
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub fn reconnect(&self, context: &str) {
        if let Some(service) = self.services.get(context) {
            self.registry.register(context, service.in_process());
        }
    }

    /// Resolves if the listener ends by itself, which it does only when it fails.
    pub async fn ended(&self) {
        self.serving.ended.cancelled().await;
    }

    /// Stops in an order in which nothing is cut short that could be finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        stop::stop(self).await
    }
}
