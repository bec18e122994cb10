//! One or several contexts in a process of a mesh: `jumak serve` runs this.
//!
//! 1. The configuration must name each context's database, the bus, the other contexts' addresses and all keys. One error lists
//!    everything that is missing, before any data is changed.
//! 2. The process listens and answers health checks with NOT_SERVING.
//! 3. It waits for its databases and the bus, up to `start_deadline_ms`. It does not wait for the contexts that it calls.
//! 4. It starts its contexts and answers SERVING.

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

/// The contexts that run in this process. End them with [`stop`](Self::stop).
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

    /// The address on which they take calls.
    pub fn address(&self) -> SocketAddr {
        self.house.address()
    }

    /// Resolves if the listener fails.
    pub async fn ended(&self) {
        self.house.ended().await;
    }

    /// Drains and stops: calls in hand and the work that they have begun are finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        let stopped = self.house.stop().await;
        drop(self.lock);
        stopped
    }
}
