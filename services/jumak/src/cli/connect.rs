//! Connects to a server at an address, with TLS if the address begins with `https://`.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use mesh::{
    config::{Config, TlsConfig},
    net::Connector,
    tls::{Obstacle, Tls},
};
use tonic::transport::{Channel, Endpoint};

use super::options::ConfigOption;
use crate::call::DEFAULT_TARGET;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A stream may be silent for long. A dead peer is noticed after the interval and the timeout together.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The CA and the client certificate for an address that begins with `https://`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TlsOptions {
    /// The CA of an https:// server's certificate (PEM) [default: tls.ca_file in the configuration, or the machine's CAs]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The certificate to show to a server that demands one (PEM) [default: tls.cert_file in the configuration]
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

impl TlsOptions {
    /// The options over what is configured.
    pub fn over(&self, tls: &TlsConfig) -> TlsConfig {
        let mut tls = tls.clone();
        if self.ca_file.is_some() {
            tls.ca_file.clone_from(&self.ca_file);
        }
        if self.cert_file.is_some() {
            (tls.cert_file, tls.key_file) = (self.cert_file.clone(), self.key_file.clone());
            // `client_ca_file` is a setting of servers.
            tls.client_ca_file = None;
        }
        tls
    }

    /// A configuration with these options over it.
    pub fn over_config(&self, config: Config) -> Config {
        Config { tls: self.over(&config.tls), ..config }
    }

    /// The options over the configuration. The configuration is loaded only if `target` needs TLS.
    pub fn at(&self, target: &str, configured: &ConfigOption) -> anyhow::Result<TlsConfig> {
        let tls = if is_tls(target) { configured.load()?.tls } else { TlsConfig::default() };
        Ok(self.over(&tls))
    }
}

/// Makes connections to one server.
#[derive(Debug)]
pub struct Dialer {
    target: String,
    endpoint: Endpoint,
    connector: Connector,
}

impl Dialer {
    /// To `target`: a URL, or a host and a port that speak no TLS.
    pub fn to(target: &str, tls: &TlsConfig) -> anyhow::Result<Self> {
        let uri = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
        anyhow::ensure!(
            uri.starts_with("http://") || uri.starts_with("https://"),
            "the target {target} must begin with http:// or https://"
        );
        // Without TLS the files need not exist.
        let tls = if is_tls(&uri) { Tls::of_command(tls) } else { Tls::load(&TlsConfig::default()) };
        let connector = Connector::new(tls?);
        let endpoint = Endpoint::from_shared(uri)
            .with_context(|| format!("the target {target} is not an address such as {DEFAULT_TARGET}"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        Ok(Self { target: target.to_owned(), endpoint, connector })
    }

    /// Connects. An error names the likely cause and what to do.
    pub async fn connect(&self) -> anyhow::Result<Channel> {
        let target = &self.target;
        self.endpoint.connect_with_connector(self.connector.clone()).await.map_err(|error| {
            let context = match Obstacle::of(&error) {
                Some(Obstacle::Certificate) => {
                    format!("the certificate at {target} is not trusted; name its CA with --ca-file, or tls.ca_file in the configuration")
                }
                Some(Obstacle::Handshake) => {
                    format!("the TLS handshake with {target} failed; if the server does not use TLS, begin the target with http://")
                }
                None => format!("nothing answers at {target}; start it with `jumak up`, or name another address with --target"),
            };
            anyhow::Error::new(error).context(context)
        })
    }
}

/// A connection to `target`.
pub async fn connect(target: &str, tls: &TlsConfig) -> anyhow::Result<Channel> {
    Dialer::to(target, tls)?.connect().await
}

fn is_tls(target: &str) -> bool {
    target.starts_with("https://")
}
