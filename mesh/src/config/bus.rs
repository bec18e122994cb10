//! The bus that events go through.

use std::{fmt, io, path::PathBuf};

use serde::Deserialize;

use super::check::Findings;
use crate::text;

/// What a broker's URL may begin with.
const SCHEMES: [&str; 2] = ["nats://", TLS];
/// The one of them that wants encryption.
const TLS: &str = "tls://";

/// The bus that events go through: NATS JetStream, or a file beside the databases.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusConfig {
    /// The NATS servers: `nats://host:4222` or `tls://host:4222`, several of one kind with commas between them. Unset: the embedded
    /// bus. No credentials in it.
    pub url: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The user's password, for whoever keeps secrets in the environment.
    pub password: Option<String>,
    /// The file with the user's password; what ends its last line is no part of it. One of the two.
    pub password_file: Option<PathBuf>,
    /// On how many servers each event is stored before it counts as published; 1 to 5, and no more than there are. Only for streams
    /// that are made; one that is there is never changed.
    pub replicas: usize,
    /// The file with the certificates (PEM) of those who may vouch for the servers. Set: the connection has to be encrypted. Unset: those
    /// whom the machine trusts, where the URL says `tls://`.
    pub ca_file: Option<PathBuf>,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self { url: None, user: None, password: None, password_file: None, replicas: 1, ca_file: None }
    }
}

impl BusConfig {
    /// The servers, one URL each; none for the embedded bus.
    pub fn urls(&self) -> Vec<String> {
        let urls = self.url.iter().flat_map(|urls| urls.split(','));
        urls.map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect()
    }

    /// Whether every connection has to be encrypted, also to servers that are only heard of from others.
    pub fn requires_tls(&self) -> bool {
        self.ca_file.is_some() || self.urls().iter().any(|url| url.starts_with(TLS))
    }

    /// The user's password, from wherever it is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn password(&self) -> io::Result<Option<String>> {
        match &self.password_file {
            Some(file) => Ok(Some(text::read(file)?.trim_end_matches(['\r', '\n']).to_owned())),
            None => Ok(self.password.clone()),
        }
    }
}

/// The password is not printed, and neither is a URL, in which somebody may have put one.
impl fmt::Debug for BusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, user, password, password_file, replicas, ca_file } = self;
        f.debug_struct("BusConfig")
            .field("url", &url.as_ref().map(|_| "…"))
            .field("user", user)
            .field("password", &password.as_ref().map(|_| "…"))
            .field("password_file", password_file)
            .field("replicas", replicas)
            .field("ca_file", ca_file)
            .finish()
    }
}

pub(super) fn check(found: &mut Findings, bus: &BusConfig) {
    for url in bus.urls() {
        let server = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
        // The URL may hold a password: only what should stand there is said.
        let problem = "has what is no nats://host:port or tls://host:port; user and password are keys of their own";
        found.unless(server.is_some_and(is_host_and_port), "bus.url", problem);
    }
    let encrypted = bus.urls().iter().filter(|url| url.starts_with(TLS)).count();
    let of_one_kind = encrypted == 0 || encrypted == bus.urls().len();
    found.unless(of_one_kind, "bus.url", "has both nats:// and tls://; all servers have to be of one kind");
    let empty = bus.url.is_some() && bus.urls().is_empty();
    found.unless(!empty, "bus.url", "is empty; leave it out for the embedded bus");
    let both = bus.password.is_some() && bus.password_file.is_some();
    found.unless(!both, "bus.password", "and bus.password_file are both set; one of them is enough");
    let has_password = bus.password.is_some() || bus.password_file.is_some();
    found.unless(bus.user.is_some() || !has_password, "bus.user", "is not set, and there is a password");
    found.within("bus.replicas", bus.replicas, 1..=5);
}

fn is_host_and_port(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return !server.is_empty() && is_host(server) };
    is_host(host) && port.parse::<u16>().is_ok()
}

fn is_host(host: &str) -> bool {
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(allowed),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::config::Config;

    fn read(variables: &[(&str, &str)]) -> Result<Config, crate::config::ConfigError> {
        let variables = variables.iter().map(|(name, value)| (format!("JUMAK_BUS__{name}"), (*value).to_owned()));
        Config::from_sources(None, variables)
    }

    #[test]
    fn several_servers_are_separated_by_commas() {
        let config = read(&[("URL", "nats://a:4222, nats://b.example, nats://[::1]:4222")]).unwrap();
        assert_eq!(config.bus.urls(), ["nats://a:4222", "nats://b.example", "nats://[::1]:4222"]);
        assert!(Config::from_sources(None, []).unwrap().bus.urls().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        for (variables, key) in [
            (&[("URL", "http://a:4222")][..], "bus.url"),
            (&[("URL", "nats://a:port")], "bus.url"),
            (&[("URL", "")], "bus.url"),
            (&[("URL", "tls://a:4222, nats://b:4222")], "bus.url"),
            (&[("URL", "nats://alice:s3cret@a:4222")], "bus.url"),
            (&[("REPLICAS", "0")], "bus.replicas"),
            (&[("REPLICAS", "6")], "bus.replicas"),
            (&[("PASSWORD", "s3cret")], "bus.user"),
            (&[("USER", "room"), ("PASSWORD", "s3cret"), ("PASSWORD_FILE", "/p")], "bus.password"),
        ] {
            let error = read(variables).unwrap_err();
            let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
            assert_eq!(keys, [key], "{variables:?}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_password_is_printed_nowhere_and_read_without_the_end_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "\u{feff}s3 cret\r\n").unwrap();
        let config = read(&[("USER", "room"), ("PASSWORD_FILE", file.to_str().unwrap())]).unwrap();
        assert_eq!(config.bus.password().unwrap().as_deref(), Some("s3 cret"));
        let printed = format!("{:?}", read(&[("USER", "room"), ("PASSWORD", "s3cret")]).unwrap());
        assert!(!printed.contains("s3cret"), "{printed}");
        // What cannot be read is not repeated.
        let error = read(&[("USER", "room"), ("PASSWORD", "[s3cret]")]).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
