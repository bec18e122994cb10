//! The system that a command operates on: the configured one, or the local mesh.

use anyhow::Context as _;
use mesh::config::Config;
use tonic::transport::Channel;

use super::{connect, options::ConfigOption};
use crate::house::{DataFolder, Member};

/// The target that means the local mesh, in place of a URL.
pub const MESH: &str = "mesh";

/// The file with the configuration of a local mesh's operator, in the mesh's folder.
pub const OPERATORS: &str = "jumak.toml";
/// The file with the URL of a local mesh's PostgreSQL, for its owner, in the mesh's folder.
pub const LOCAL_MESH_POSTGRES: &str = "postgres.url";

/// The options that choose the configuration, for commands that make no calls.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetOption {
    /// The configuration file.
    #[command(flatten)]
    pub configured: ConfigOption,
    /// `mesh` for the local mesh, as `make mesh` has started it; a URL changes nothing here
    #[arg(long, value_name = "TARGET", env = "JUMAK_TARGET", hide_env_values = true)]
    pub target: Option<String>,
}

impl TargetOption {
    /// The configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        match self.target.as_deref() {
            Some(MESH) => local_mesh(&self.configured),
            _ => self.configured.load(),
        }
    }
}

/// The configuration of the local mesh's operator, or the configuration that is named.
pub fn local_mesh(configured: &ConfigOption) -> anyhow::Result<Config> {
    if configured.config.is_some() {
        return configured.load();
    }
    let file = DataFolder::local_mesh()?.path().join(OPERATORS);
    anyhow::ensure!(file.exists(), "no mesh runs: there is no {}; `make mesh` starts one", file.display());
    ConfigOption { config: Some(file) }.load()
}

/// The URL of the local mesh's PostgreSQL, if a local mesh runs.
pub fn local_mesh_postgres() -> Option<String> {
    std::fs::read_to_string(DataFolder::local_mesh().ok()?.path().join(LOCAL_MESH_POSTGRES)).ok()
}

/// A connection to the first replica of the context that answers.
pub async fn connect(config: &Config, member: Member) -> anyhow::Result<Channel> {
    let addresses = config.addresses(member.name());
    let mut failed = None;
    for address in addresses {
        match connect::connect(address, &config.tls).await {
            Ok(channel) => return Ok(channel),
            Err(error) => failed = Some(error),
        }
    }
    let Some(error) = failed else { anyhow::bail!("contexts.{member}.addresses is not set") };
    Err(error).with_context(|| format!("{member} does not answer at {}", addresses.join(" or ")))
}
