//! How an embedded system is started.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use mesh::{Clock, config::Config};

use crate::house::Member;

/// Where a system keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this folder, which is made if it is not there.
    Folder(PathBuf),
    /// In a temporary folder that is removed when the system stops.
    Ephemeral,
}

/// How a system is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file of the configuration, if there is one. Commands in hints name it.
    pub config_file: Option<PathBuf>,
    /// The configuration, with the address for calls; port 0 takes a free port.
    pub config: Config,
    /// Where the data is.
    pub data: Data,
    /// The clock of all contexts. Tokens use the machine's clock.
    pub clock: Clock,
    /// The contexts that run, callees before callers.
    pub members: Vec<Member>,
}

impl Options {
    /// All contexts on `data`, with `config`.
    pub fn new(config: Config, data: Data) -> Self {
        Self { config_file: None, config, data, clock: Clock::system(), members: Member::ALL.to_vec() }
    }

    /// The same, without the contexts in `left_out`.
    #[must_use]
    pub fn without(mut self, left_out: &[Member]) -> Self {
        self.members.retain(|member| !left_out.contains(member));
        self
    }

    /// A system without lasting data, on a free loopback port: for tests and demos.
    pub fn ephemeral() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::new(Config { listen, ..Config::default() }, Data::Ephemeral)
    }

    /// The same on a folder that stays, so that the system can be started again.
    pub fn in_folder(path: impl Into<PathBuf>) -> Self {
        Self { data: Data::Folder(path.into()), ..Self::ephemeral() }
    }
}
