//! What an operator may change without a rebuild: one TOML file, and the environment over it.
//!
//! A key is reached from the environment as `JUMAK_` and its path in capitals, two underscores between the levels:
//! `JUMAK_LIMITS__IN_FLIGHT=256`. Every key has a default that suits one machine. All that is wrong is reported at once, at start,
//! each with its key and where its value came from.

mod check;
mod checkout;
mod context;
mod load;
mod metrics;
mod section;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;

use crate::context::Descriptor;

pub use checkout::CheckoutConfig;
pub use context::ContextConfig;
pub use load::{ConfigError, Problem};
pub use mesh_bus::config::BusConfig;
pub use mesh_foundation::findings::Findings;
pub use mesh_server::limits::LimitsConfig;
pub use mesh_transport::config::{
    AuthConfig, BreakerConfig, ClientConfig, IssuerConfig, SigningAlgorithm, TlsConfig, is_pem,
};
pub use metrics::MetricsConfig;
pub use section::{AnySection, Section, Sections, millis};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where calls are taken: an IP address and a port. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether a client may ask for the contracts (gRPC reflection). Unset: on a loopback address only.
    pub reflection: Option<bool>,
    /// How long a stop waits for calls and loops before it goes ahead without them, in milliseconds; 100 to 600,000. Keep it below
    /// the grace period of whatever stops the process.
    pub drain_deadline_ms: u64,
    /// How long a start of `jumak serve` waits for its databases and the bus before it gives up, in milliseconds; 100 to 3,600,000.
    pub start_deadline_ms: u64,
    /// The log.
    pub log: LogConfig,
    /// The listener for scrapers.
    pub metrics: MetricsConfig,
    /// Who is trusted.
    pub auth: AuthConfig,
    /// What one context takes before it turns calls away.
    pub limits: LimitsConfig,
    /// The databases of all contexts.
    pub database: DatabaseConfig,
    /// The bus that events go through.
    pub bus: BusConfig,
    /// What is different for one context, by its name.
    pub contexts: BTreeMap<String, ContextConfig>,
    /// Hold, pay, confirm; or let go.
    pub checkout: CheckoutConfig,
    /// Calls from one context to another.
    pub client: ClientConfig,
    /// TLS of our own.
    pub tls: TlsConfig,
    /// The sections of the contexts, each of which reads its own.
    #[serde(skip)]
    pub sections: Sections,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8088)),
            reflection: None,
            drain_deadline_ms: 20_000,
            start_deadline_ms: 120_000,
            log: LogConfig::default(),
            metrics: MetricsConfig::default(),
            auth: AuthConfig::default(),
            limits: LimitsConfig::default(),
            database: DatabaseConfig::default(),
            bus: BusConfig::default(),
            contexts: BTreeMap::new(),
            checkout: CheckoutConfig::default(),
            client: ClientConfig::default(),
            tls: TlsConfig::default(),
            sections: Sections::default(),
        }
    }
}

impl Config {
    /// How long a stop waits.
    pub const fn drain_deadline(&self) -> Duration {
        Duration::from_millis(self.drain_deadline_ms)
    }

    /// How long a start waits.
    pub const fn start_deadline(&self) -> Duration {
        Duration::from_millis(self.start_deadline_ms)
    }

    /// Whether a client may ask for the contracts.
    pub fn reflection(&self) -> bool {
        self.reflection.unwrap_or_else(|| self.listen.ip().is_loopback())
    }

    /// The database that was configured for `context`; none means the default of the deployment's shape.
    pub fn database_url(&self, context: &str) -> Option<&str> {
        self.contexts.get(context)?.database_url.as_deref()
    }

    /// Where `context` is called; empty if that is not configured.
    pub fn addresses(&self, context: &str) -> &[String] {
        self.contexts.get(context).map_or(&[], |context| &context.addresses)
    }
}

/// What a configuration may speak of beside what every process has.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The contexts that can be configured.
    pub contexts: Vec<&'static str>,
    /// The sections that they bring.
    pub sections: Vec<AnySection>,
}

impl Known {
    /// What these contexts let be configured.
    pub fn of(contexts: impl IntoIterator<Item = &'static Descriptor>) -> Self {
        let contexts: Vec<&Descriptor> = contexts.into_iter().collect();
        Self {
            contexts: contexts.iter().map(|context| context.name).collect(),
            sections: contexts.iter().filter_map(|context| context.settings).collect(),
        }
    }

    #[cfg(test)]
    fn a_few() -> Self {
        Self { contexts: vec!["room", "payment"], sections: Vec::new() }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The log.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// What is logged, in the words of tracing's `EnvFilter`: `info`, or `info,mesh_server=warn`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        // At `info` sea-orm tells every step of every migration, the NATS client what we tell ourselves, and sqlx
        // each notice of PostgreSQL.
        Self { format: LogFormat::Text, filter: "info,async_nats=warn,sqlx=warn".to_owned() }
    }
}

/// The databases of all contexts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Connections that one context opens at most; 1 to 1,000. SQLite writes on one of its own besides.
    pub max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { max_connections: 16 }
    }
}
