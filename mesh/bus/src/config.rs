//! The bus that events go through.

use std::{fmt, io, path::PathBuf};

use mesh_foundation::{findings::Findings, text};
use serde::Deserialize;

/// What a broker's URL may begin with.
const SCHEMES: [&str; 2] = ["nats://", TLS];
/// The scheme that requires encryption.
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
    /// The user's password, for installations that keep secrets in the environment.
    pub password: Option<String>,
    /// The file with the user's password, without the line break at its end. Set one of the two.
    pub password_file: Option<PathBuf>,
    /// The number of servers that store each event before it counts as published; 1 to 5, and at most as many as there are. Applies only
    /// when a stream is created; an existing stream is never changed.
    pub replicas: usize,
    /// The file with the CA certificates (PEM) for the servers. Set: the connection must be encrypted. Unset: for `tls://` URLs, the
    /// authorities that the machine trusts.
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

    /// Whether every connection must be encrypted, also to servers that the client discovers from others.
    pub fn requires_tls(&self) -> bool {
        self.ca_file.is_some() || self.urls().iter().any(|url| url.starts_with(TLS))
    }

    /// The user's password, from the setting or the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn password(&self) -> io::Result<Option<String>> {
        match &self.password_file {
            Some(file) => Ok(Some(text::read(file)?.trim_end_matches(['\r', '\n']).to_owned())),
            None => Ok(self.password.clone()),
        }
    }

    /// Finds all that is wrong with the bus.
    pub fn check(&self, found: &mut Findings) {
        for url in self.urls() {
            let server = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
            // The URL may hold a password, so the message does not repeat it.
            let problem = "has an entry that is not nats://host:port or tls://host:port; set user and password with their own keys";
            found.unless(server.is_some_and(is_host_and_port), "bus.url", problem);
        }
        let encrypted = self.urls().iter().filter(|url| url.starts_with(TLS)).count();
        let of_one_kind = encrypted == 0 || encrypted == self.urls().len();
        found.unless(of_one_kind, "bus.url", "has both nats:// and tls://; all servers must have the same scheme");
        let empty = self.url.is_some() && self.urls().is_empty();
        found.unless(!empty, "bus.url", "is empty; leave it out for the embedded bus");
        let both = self.password.is_some() && self.password_file.is_some();
        found.unless(!both, "bus.password", "and bus.password_file are both set; one of them is enough");
        let has_password = self.password.is_some() || self.password_file.is_some();
        found.unless(self.user.is_some() || !has_password, "bus.user", "is not set, but a password is");
        found.within("bus.replicas", self.replicas, 1..=5);
    }
}

/// Prints neither the password nor the URLs, because a URL may hold a password too.
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
