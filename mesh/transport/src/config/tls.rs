//! TLS of our own, for a deployment without a service mesh that secures connections.

use std::{path::PathBuf, time::Duration};

use mesh_foundation::findings::Findings;
use serde::Deserialize;

/// TLS between contexts, and between clients and contexts. All files are PEM; a file that is replaced is reloaded while the process
/// runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate that this process shows, with the intermediate ones after it. With it the listener speaks TLS, and only TLS.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// The CA of the certificates that clients must show (mutual TLS). Unset: clients need none.
    pub client_ca_file: Option<PathBuf>,
    /// The CA of the certificates that other contexts show, at addresses that begin with `https://`. Unset: the public ones.
    pub ca_file: Option<PathBuf>,
    /// How often the files are checked for changes, in milliseconds; 100 to 3,600,000.
    pub reload_ms: u64,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { cert_file: None, key_file: None, client_ca_file: None, ca_file: None, reload_ms: 10_000 }
    }
}

impl TlsConfig {
    /// How often the files are checked for changes.
    pub const fn reload(&self) -> Duration {
        Duration::from_millis(self.reload_ms)
    }

    /// Finds all that is wrong with the files.
    pub fn check(&self, found: &mut Findings) {
        found.within("tls.reload_ms", self.reload_ms, 100..=3_600_000);
        let both = "is missing: a certificate and its key are set together";
        found.unless(self.key_file.is_some() || self.cert_file.is_none(), "tls.key_file", both);
        found.unless(self.cert_file.is_some() || self.key_file.is_none(), "tls.cert_file", both);
        found.unless(
            self.cert_file.is_some() || self.client_ca_file.is_none(),
            "tls.client_ca_file",
            "asks clients for a certificate, and the listener has none of its own: set tls.cert_file and tls.key_file",
        );
    }
}
