//! Where a command finds its data and its configuration: the same for all commands, from any working directory.

use std::path::PathBuf;

use mesh::config::Config;

use crate::embedded::DataFolder;

/// Where the data is.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The folder with all data [default: jumak in the platform's folder for a user's data]
    #[arg(long, value_name = "DIR", env = "JUMAK_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The folder, which need not be there yet.
    pub fn folder(&self) -> anyhow::Result<DataFolder> {
        DataFolder::named(self.data.as_deref())
    }
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub struct Configured {
    /// A configuration file (TOML); JUMAK_… variables go over it
    #[arg(long, value_name = "FILE", env = "JUMAK_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

impl Configured {
    /// The configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref())?)
    }
}
