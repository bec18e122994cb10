//! One or some of the contexts in a process of their own, in the mesh: what `jumak serve` runs.
//!
//! Nothing is made up here: each context's database, the bus, the other contexts' addresses and everybody's keys are configured, and
//! all that is missing is said at once, before anything is touched. A process needs nothing of the others to start. It listens first
//! and says NOT_SERVING; what it needs may come later, up to a deadline; the contexts that it calls may come later still.

mod bus;
mod keys;
mod options;
mod plan;
mod start;
#[cfg(test)]
mod tests;
mod wait;

use std::net::SocketAddr;

pub use self::options::Options;
use crate::house::{House, Lock};

/// Contexts that run in this process, to be ended with [`stop`](Self::stop).
#[derive(Debug)]
pub struct Server {
    house: House,
    lock: Option<Lock>,
}

impl Server {
    /// Starts the contexts, and returns when they take calls.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        start::start(options).await
    }

    /// Where they take calls.
    pub fn address(&self) -> SocketAddr {
        self.house.address()
    }

    /// Resolves if the listener ends by itself, which it does only when it fails.
    pub async fn ended(&self) {
        self.house.ended().await;
    }

    /// Stops in an order in which nothing is cut short that could be finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        let stopped = self.house.stop().await;
        drop(self.lock);
        stopped
    }
}
