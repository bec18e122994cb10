//! What an operator may change without a rebuild: one TOML file, and the environment over it.
//!
//! A key is reached from the environment as `JUMAK_` and its path in capitals, two underscores between the levels:
//! `JUMAK_LIMITS__IN_FLIGHT=256`. Every key has a default that suits one machine. All that is wrong is reported at once, at start,
//! each with its key and where its value came from.

mod bus;
mod check;
mod checkout;
mod client;
mod context;
mod issuer;
mod load;
mod metrics;
mod payment;
mod tls;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

pub use bus::BusConfig;
pub use checkout::CheckoutConfig;
pub use client::{BreakerConfig, ClientConfig};
pub use context::{ContextConfig, is_pem};
pub(crate) use issuer::may_publish_at;
pub use issuer::{IssuerConfig, SigningAlgorithm};
pub use load::{ConfigError, Problem};
pub use metrics::MetricsConfig;
pub use payment::PaymentConfig;
pub use tls::TlsConfig;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where calls are taken: an IP address and a port. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether a client may ask for the contracts (gRPC reflection). Unset: on a loopback address only.
    pub reflection: Option<bool>,
    /// The IANA time zone of a room that names none.
    pub time_zone: String,
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
    /// The payment context and its provider.
    pub payment: PaymentConfig,
    /// Calls from one context to another.
    pub client: ClientConfig,
    /// TLS of our own.
    pub tls: TlsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8088)),
            reflection: None,
            time_zone: "Asia/Seoul".to_owned(),
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
            payment: PaymentConfig::default(),
            client: ClientConfig::default(),
            tls: TlsConfig::default(),
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
    /// What is logged, in the words of tracing's `EnvFilter`: `info`, or `info,mesh::server=warn`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        // At `info` sea-orm tells every step of every migration, the NATS client what we tell ourselves, and sqlx
        // each notice of PostgreSQL.
        Self { format: LogFormat::Text, filter: "info,sea_orm_migration=warn,async_nats=warn,sqlx=warn".to_owned() }
    }
}

/// Who is trusted.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Whether the built-in issuer is trusted.
    pub built_in: bool,
    /// OpenID Connect issuers that are trusted beside it; at most 16.
    pub issuers: Vec<IssuerConfig>,
    /// The name of the built-in issuer: the `iss` of its tokens. Part of every user's id, so it is chosen once.
    pub issuer: String,
    /// The file with the built-in issuer's private key, for `jumak token` beside the mesh. Unset: the one in the data folder.
    pub issuer_key_file: Option<PathBuf>,
    /// The built-in issuer's public keys, for contexts that run without its private one: files, or the PEM texts themselves; at
    /// most 8, two while one is being replaced.
    #[serde(deserialize_with = "context::one_or_many")]
    pub issuer_public_keys: Vec<String>,
    /// The `aud` that a person's token must name.
    pub audience: String,
    /// Whether the built-in issuer, which asks nobody for a password, may be trusted on an address that others can reach.
    pub allow_non_loopback_issuer: bool,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            built_in: true,
            issuers: Vec::new(),
            issuer: "jumak".to_owned(),
            issuer_key_file: None,
            issuer_public_keys: Vec::new(),
            audience: "jumak".to_owned(),
            allow_non_loopback_issuer: false,
        }
    }
}

impl AuthConfig {
    /// The names of all who may speak for people, the built-in issuer first.
    pub fn issuer_names(&self) -> impl Iterator<Item = &str> {
        let built_in = self.built_in.then_some(self.issuer.as_str());
        built_in.into_iter().chain(self.issuers.iter().map(|issuer| &*issuer.issuer))
    }
}

/// What one context takes before it turns calls away. Per context and never per process: bookings must not hold the permits that
/// payment needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Calls of people being answered at once, and as many of other contexts besides; 1 to 100,000.
    pub in_flight: usize,
    /// Of those, the calls of one person; 1 to 100,000.
    pub in_flight_per_person: usize,
    /// Streams open at once; 1 to 1,000,000. Counted apart, because a stream that waits for news costs next to nothing.
    pub open_streams: usize,
    /// Of those, the streams of one person; 1 to 1,000,000.
    pub open_streams_per_person: usize,
    /// Connections to the whole process; 1 to 100,000. One more is closed at once.
    pub connections: usize,
    /// The largest request, in bytes; 1,024 to 4,194,304.
    pub max_request_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            in_flight: 512,
            in_flight_per_person: 64,
            open_streams: 4_096,
            open_streams_per_person: 32,
            connections: 1_024,
            max_request_bytes: 256 * 1024,
        }
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
