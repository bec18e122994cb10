//! Where a command finds its data and its configuration: the same for all commands, from any working directory.

use std::{net::SocketAddr, path::PathBuf};

use mesh::config::Config;

use crate::house::{DataFolder, Member};

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
        Ok(Config::load(self.config.as_deref(), &Member::configured())?)
    }

    /// The configuration of a process that takes calls at `listen`, if that is said. The option stands for the variable of that name,
    /// so that its value is checked like any other.
    pub fn load_for(&self, listen: Option<SocketAddr>) -> anyhow::Result<Config> {
        let Some(listen) = listen else { return self.load() };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .chain([("JUMAK_LISTEN".to_owned(), listen.to_string())]);
        Ok(Config::from_sources(self.config.as_deref(), environment, &Member::configured())?)
    }
}

/// The address that `text` says, for an option.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address with a port, such as 127.0.0.1:8088"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_answered_with_one() {
        assert_eq!(address("[::1]:0").unwrap().port(), 0);
        for text in ["", "foo", "8088", "127.0.0.1", "localhost:8088"] {
            assert!(address(text).unwrap_err().contains("such as 127.0.0.1:8088"), "{text}");
        }
    }
}
