//! How contexts are served.

use std::path::PathBuf;

use mesh::{Clock, config::Config};

use crate::house::Member;

/// How contexts are served.
#[derive(Clone, Debug)]
pub struct Options {
    /// The contexts, each at most once.
    pub members: Vec<Member>,
    /// The configuration, with the address for calls; port 0 takes a free port.
    pub config: Config,
    /// The folder for SQLite files of contexts without a configured database. If it is `None`, every database must be configured.
    pub data: Option<PathBuf>,
    /// Whether to migrate databases. If not, the start waits until another process has migrated them.
    pub migrate: bool,
    /// The clock of the contexts. Tokens use the machine's clock.
    pub clock: Clock,
}

impl Options {
    /// These contexts, with `config`.
    pub fn new(members: Vec<Member>, config: Config) -> Self {
        Self { members, config, data: None, migrate: true, clock: Clock::system() }
    }
}
