//! Which system a command is about: the one that is configured, or the local mesh.

use anyhow::Context as _;
use mesh::config::Config;
use tonic::transport::Channel;

use super::{line, place::Configured};
use crate::house::{DataFolder, Member};

/// What stands for the local mesh where a URL could stand.
pub const MESH: &str = "mesh";

/// The configuration of a local mesh's operator, in the mesh's folder.
pub const OPERATORS: &str = "jumak.toml";
/// The URL of a local mesh's PostgreSQL as its owner connects to it, in the mesh's folder.
pub const LOCAL_MESH_POSTGRES: &str = "postgres.url";

/// Which configuration, for commands that call nobody.
#[derive(Clone, Debug, clap::Args)]
pub struct Targeted {
    /// The file.
    #[command(flatten)]
    pub configured: Configured,
    /// `mesh` for the local mesh, as `make mesh` has started it; a URL changes nothing here
    #[arg(long, value_name = "TARGET", env = "JUMAK_TARGET", hide_env_values = true)]
    pub target: Option<String>,
}

impl Targeted {
    /// The configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        match self.target.as_deref() {
            Some(MESH) => local_mesh(&self.configured),
            _ => self.configured.load(),
        }
    }
}

/// The configuration of the local mesh's operator; that of another mesh, if one is named.
pub fn local_mesh(configured: &Configured) -> anyhow::Result<Config> {
    if configured.config.is_some() {
        return configured.load();
    }
    let file = DataFolder::local_mesh()?.path().join(OPERATORS);
    anyhow::ensure!(file.exists(), "no mesh runs: there is no {}; `make mesh` starts one", file.display());
    Configured { config: Some(file) }.load()
}

/// Where the local mesh's PostgreSQL is, if such a mesh runs.
pub fn local_mesh_postgres() -> Option<String> {
    std::fs::read_to_string(DataFolder::local_mesh().ok()?.path().join(LOCAL_MESH_POSTGRES)).ok()
}

/// A connection to the context's replica that answers first.
pub async fn connect(config: &Config, member: Member) -> anyhow::Result<Channel> {
    let addresses = config.addresses(member.name());
    let mut failed = None;
    for address in addresses {
        match line::connect(address, &config.tls).await {
            Ok(channel) => return Ok(channel),
            Err(error) => failed = Some(error),
        }
    }
    let Some(error) = failed else { anyhow::bail!("contexts.{member}.addresses is not set") };
    Err(error).with_context(|| format!("{member} does not answer at {}", addresses.join(" or ")))
}
