//! How an embedded system is started.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::ValueEnum;
use mesh::{Clock, config::Config};

use crate::house::Member;

/// A context that the others do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Optional {
    /// What concerns a user, read from a model of its own.
    Mypage,
}

impl From<Optional> for Member {
    fn from(optional: Optional) -> Self {
        match optional {
            Optional::Mypage => Self::Mypage,
        }
    }
}

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
    /// The contexts that are left out.
    pub without: BTreeSet<Optional>,
}

impl Options {
    /// A system on `data`, as `config` says.
    pub fn new(config: Config, data: Data) -> Self {
        Self { config_file: None, config, data, clock: Clock::system(), without: BTreeSet::new() }
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
