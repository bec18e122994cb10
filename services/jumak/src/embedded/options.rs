//! How an embedded system is started.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use mesh::{Clock, config::Config};

use crate::house::Member;

/// Where a system keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In this folder, which is made if it is not there.
    Folder(PathBuf),
    /// In a folder of its own that is removed with it.
    Ephemeral,
}

/// How a system is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file that the configuration is from, if it is from one: what people are told to type names it.
    pub config_file: Option<PathBuf>,
    /// The configuration, which also says where calls are taken; port 0 takes a free one.
    pub config: Config,
    /// Where the data is.
    pub data: Data,
    /// The time that all contexts live by. Tokens live by the machine's.
    pub clock: Clock,
    /// The contexts that run, callees before callers.
    pub members: Vec<Member>,
}

impl Options {
    /// A system on `data`, as `config` says.
    pub fn new(config: Config, data: Data) -> Self {
        Self { config_file: None, config, data, clock: Clock::system(), members: Member::ALL.to_vec() }
    }

    /// The same without some of its contexts; the others do without them.
    #[must_use]
    pub fn without(mut self, left_out: &[Member]) -> Self {
        self.members.retain(|member| !left_out.contains(member));
        self
    }

    /// A system that leaves nothing behind, on a free port of this machine: for tests and demos.
    pub fn ephemeral() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::new(Config { listen, ..Config::default() }, Data::Ephemeral)
    }

    /// The same kind of system on a folder that stays, so that it can be started again.
    pub fn in_folder(path: impl Into<PathBuf>) -> Self {
        Self { data: Data::Folder(path.into()), ..Self::ephemeral() }
    }
}
