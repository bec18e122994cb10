//! How a mesh is started.

use std::{collections::BTreeMap, path::PathBuf};

use jumak::house::Member;

use crate::databases::is_in_a_file;

/// Environment variables for a process.
pub type Variables = Vec<(String, String)>;

/// The ports of the contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any free ports, so that several meshes can run at once.
    Free,
    /// Fixed ports: the first replicas of the contexts begin at this port, and each further replica is [`step`](crate::step) above the one
    /// before.
    From(u16),
}

/// The database servers of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Servers of its own, which can be killed. Committed data survives that.
    Own,
    /// The same, but MariaDB has so little space that a test can fill it.
    Tight,
    /// Servers that all such meshes of this process share, with databases of its own for each mesh. They start once, and do not sync to the
    /// disk.
    Shared,
}

/// The engines of the contexts' databases. The provider's is always a SQLite file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Engines {
    /// Payment is on MariaDB, the others on PostgreSQL
    #[default]
    Polyglot,
    /// All are on PostgreSQL, for example to compare with it
    Postgres,
}

/// How a mesh is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `jumak` binary.
    pub jumak: PathBuf,
    /// The number of processes of each context, 1 to 9. The provider has one, because its database is a file.
    pub replicas: u16,
    /// The folder for keys, configurations and logs; none for a temporary one that is removed with the mesh.
    pub folder: Option<PathBuf>,
    /// The ports of the contexts.
    pub ports: Ports,
    /// The database servers.
    pub servers: Servers,
    /// The engines of the contexts' databases.
    pub engines: Engines,
    /// Settings that override those of every context, as in a configuration file of `jumak serve`.
    pub config: toml::Table,
    /// Variables for the processes of a context, such as `JUMAK_KILL_POINT`.
    pub env: BTreeMap<Member, Variables>,
}

impl Options {
    /// A mesh with one replica of each context, on free ports and in a temporary folder.
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

    /// The number of processes of `member`.
    pub(crate) fn replicas_of(&self, member: Member) -> u16 {
        if is_in_a_file(member) { 1 } else { self.replicas }
    }
}
