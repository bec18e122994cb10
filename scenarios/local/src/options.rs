//! How a mesh is started.

use std::{collections::BTreeMap, path::PathBuf};

use jumak::house::Member;

use crate::databases::is_in_a_file;

/// Environment variables for a process.
pub type Variables = Vec<(String, String)>;

/// Which ports the contexts take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any that are free: several meshes run beside one another.
    Free,
    /// The same ones every time: the first replicas from this one on, each further replica as many above the one before as [`step`](crate::step) says.
    From(u16),
}

/// Which database servers a mesh is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Servers of its own, which can be killed. What they commit survives that.
    Own,
    /// The same, and MariaDB has so little room that it can be filled up.
    Tight,
    /// Those that all such meshes of this process share, each with databases of its own. They start once, and do not wait for the
    /// disk.
    Shared,
}

/// Which engines the contexts' databases are on. The provider's is a SQLite file either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Engines {
    /// Payment is on MariaDB, the others on PostgreSQL
    #[default]
    Polyglot,
    /// All are on PostgreSQL, as for a comparison with it
    Postgres,
}

/// How a mesh is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `jumak` binary.
    pub jumak: PathBuf,
    /// How many processes each context has, from 1 to 9; the provider, whose database is a file, has one.
    pub replicas: u16,
    /// The folder for keys, configurations and logs; none for one of its own that is removed with the mesh.
    pub folder: Option<PathBuf>,
    /// Which ports the contexts take.
    pub ports: Ports,
    /// Which database servers it is on.
    pub servers: Servers,
    /// Which engines its contexts are on.
    pub engines: Engines,
    /// What goes over the configuration of every context, as in a file of `jumak serve`.
    pub config: toml::Table,
    /// Variables for the processes of a context, as in `JUMAK_KILL_POINT`.
    pub env: BTreeMap<Member, Variables>,
}

impl Options {
    /// A mesh of one replica each, on free ports, that leaves nothing behind.
    pub fn new(jumak: impl Into<PathBuf>) -> Self {
        Self {
            jumak: jumak.into(),
            replicas: 1,
            folder: None,
            ports: Ports::Free,
            servers: Servers::Own,
            engines: Engines::default(),
            config: toml::Table::new(),
            env: BTreeMap::new(),
        }
    }

    /// How many processes of `member` there are.
    pub(crate) fn replicas_of(&self, member: Member) -> u16 {
        if is_in_a_file(member) { 1 } else { self.replicas }
    }
}
