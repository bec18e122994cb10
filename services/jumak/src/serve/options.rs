//! How contexts are served.

use std::path::PathBuf;

use mesh::{Clock, config::Config};

use crate::house::Member;

/// How contexts are served.
#[derive(Clone, Debug)]
pub struct Options {
    /// The contexts, each at most once.
    pub members: Vec<Member>,
    /// The configuration, which also says where calls are taken; port 0 takes a free one.
    pub config: Config,
    /// The folder for SQLite files of contexts whose database is not configured; none if every database has to be.
    pub data: Option<PathBuf>,
    /// Whether databases are brought up to date. If not, they are waited for until somebody else has done it.
    pub migrate: bool,
    /// The time that the contexts live by. Tokens live by the machine's.
    pub clock: Clock,
}

impl Options {
    /// These contexts, as `config` says.
    pub fn new(members: Vec<Member>, config: Config) -> Self {
        Self { members, config, data: None, migrate: true, clock: Clock::system() }
    }
}
