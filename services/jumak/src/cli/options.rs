//! The options `--data` and `--config`, which all commands share.

use std::{net::SocketAddr, path::PathBuf};

use mesh::config::Config;

use crate::house::{DataFolder, Member};

/// The option `--data`.
#[derive(Clone, Debug, clap::Args)]
pub struct DataOption {
    /// The folder with all data [default: jumak in the platform's folder for a user's data]
    #[arg(long, value_name = "DIR", env = "JUMAK_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
}

impl DataOption {
    /// The folder. It need not exist yet.
    pub fn folder(&self) -> anyhow::Result<DataFolder> {
        DataFolder::named(self.data.as_deref())
    }
}

/// The option `--config`.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigOption {
    /// A configuration file (TOML); JUMAK_… variables override it
    #[arg(long, value_name = "FILE", env = "JUMAK_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

impl ConfigOption {
    /// The configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config.as_deref(), &Member::configured())?)
    }

    /// The configuration, with `listen` over it if it is given. The option acts as the variable JUMAK_LISTEN, so its value is checked like
    /// any other.
    pub fn load_for(&self, listen: Option<SocketAddr>) -> anyhow::Result<Config> {
        let Some(listen) = listen else { return self.load() };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .chain([("JUMAK_LISTEN".to_owned(), listen.to_string())]);
        Ok(Config::from_sources(self.config.as_deref(), environment, &Member::configured())?)
    }
}

/// Parses an option's address.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address with a port, such as 127.0.0.1:8088"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_is_refused_with_an_example() {
        assert_eq!(address("[::1]:0").unwrap().port(), 0);
        for text in ["", "foo", "8088", "127.0.0.1", "localhost:8088"] {
            assert!(address(text).unwrap_err().contains("such as 127.0.0.1:8088"), "{text}");
        }
    }
}
