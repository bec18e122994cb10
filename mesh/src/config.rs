//! What an operator may change without a rebuild: one TOML file, and the environment over it.
//!
//! A key is reached from the environment as `JUMAK_` and its path in capitals, two underscores between the levels:
//! `JUMAK_LIMITS__IN_FLIGHT=256`. Every key has a default that suits one machine. All that is wrong is reported at once, at start,
//! each with its key and where its value came from.

mod bus;
mod check;
mod context;
mod issuer;
mod load;
mod metrics;
mod tls;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

pub use bus::BusConfig;
pub use context::{ContextConfig, is_pem};
pub(crate) use issuer::may_publish_at;
pub use issuer::{IssuerConfig, SigningAlgorithm};
pub use load::{ConfigError, Problem};
pub use metrics::MetricsConfig;
pub use tls::TlsConfig;

use crate::client::Limits;

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

/// Hold, pay, confirm; or let go.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckoutConfig {
    /// How long units are held for a guest who has not paid, in milliseconds; 1,000 to 86,400,000.
    pub hold_ms: u64,
    /// How long payment is waited for, in milliseconds; 100 to 25,000.
    pub payment_timeout_ms: u64,
    /// When the sweeper begins to ask about a case whose payment did not answer, in milliseconds from when that payment began; from
    /// `payment_timeout_ms` to 3,600,000. Unset, two seconds after that timeout.
    pub settle_after_ms: Option<u64>,
    /// Unpaid holds that one guest may have; 1 to 1,000.
    pub max_open_holds: u32,
    /// Payments that one hold tries; 1 to 60.
    pub max_attempts: u32,
    /// How often the sweeper looks, in milliseconds; 10 to 60,000.
    pub sweep_interval_ms: u64,
}

impl Default for CheckoutConfig {
    fn default() -> Self {
        Self {
            hold_ms: 600_000,
            payment_timeout_ms: 5_000,
            settle_after_ms: None,
            max_open_holds: 10,
            max_attempts: 10,
            sweep_interval_ms: 1_000,
        }
    }
}

/// A payment that has just timed out may still be on its way back; asking at once would only find it pending.
const SETTLE_GRACE_MS: u64 = 2_000;

impl CheckoutConfig {
    /// How long units are held.
    pub const fn hold(&self) -> Duration {
        Duration::from_millis(self.hold_ms)
    }

    /// How long payment is waited for.
    pub const fn payment_timeout(&self) -> Duration {
        Duration::from_millis(self.payment_timeout_ms)
    }

    /// When the sweeper begins to ask about a case.
    pub fn settle_after(&self) -> Duration {
        Duration::from_millis(self.settle_after_ms.unwrap_or(self.payment_timeout_ms + SETTLE_GRACE_MS))
    }

    /// How often the sweeper looks.
    pub const fn sweep_interval(&self) -> Duration {
        Duration::from_millis(self.sweep_interval_ms)
    }
}

/// The payment context and its provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentConfig {
    /// How long the provider is waited for, in milliseconds; 50 to 25,000, and below `checkout.payment_timeout_ms`, or its answer
    /// would come when nobody listens any more.
    pub provider_timeout_ms: u64,
    /// How often the recovery loop looks for payments and refunds whose outcome is open, in milliseconds; 10 to 60,000.
    pub recovery_interval_ms: u64,
    /// How long the recovery loop goes on asking the provider about a call it does not know of before it takes that call for lost, in
    /// milliseconds; above `provider_timeout_ms`, up to 3,600,000.
    pub give_up_after_ms: u64,
    /// After how long a payment is voided whose call was never sent and is not made again, in milliseconds; a minute above
    /// `checkout.hold_ms` at least, or a hold would live longer than the payment that it can still be paid by, up to 604,800,000.
    pub abandon_after_ms: u64,
}

impl Default for PaymentConfig {
    fn default() -> Self {
        Self {
            provider_timeout_ms: 3_000,
            recovery_interval_ms: 1_000,
            give_up_after_ms: 15_000,
            abandon_after_ms: 3_600_000,
        }
    }
}

impl PaymentConfig {
    /// How long the provider is waited for.
    pub const fn provider_timeout(&self) -> Duration {
        Duration::from_millis(self.provider_timeout_ms)
    }

    /// How often the recovery loop looks.
    pub const fn recovery_interval(&self) -> Duration {
        Duration::from_millis(self.recovery_interval_ms)
    }

    /// When a call that the provider does not know of is taken for lost.
    pub const fn give_up_after(&self) -> Duration {
        Duration::from_millis(self.give_up_after_ms)
    }

    /// When a payment that was never sent is voided.
    pub const fn abandon_after(&self) -> Duration {
        Duration::from_millis(self.abandon_after_ms)
    }
}

/// Calls from one context to another.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// How long one attempt may take, in milliseconds; 10 to 30,000. The caller's own deadline shortens it.
    pub timeout_ms: u64,
    /// How long connecting may take, in milliseconds; 10 to 10,000. A call that cannot connect was surely not sent.
    pub connect_timeout_ms: u64,
    /// HTTP/2 connections to each address of a target; 1 to 16. One connection is one lock, so a few carry more than one does.
    pub connections: usize,
    /// Attempts at one call, the first included; 1 to 10. Only calls that may be repeated get more than one.
    pub attempts: u32,
    /// Retries allowed for every hundred calls; 0 to 100. A target that is down is not called twice as often as one that is up.
    pub retry_budget_percent: u32,
    /// Retries allowed each second besides, so that a target that is seldom called can be retried too; 0 to 1,000.
    pub retries_per_second: u32,
    /// Calls in flight to one target; 1 to 10,000. One more is refused.
    pub in_flight: usize,
    /// The circuit breaker.
    pub breaker: BreakerConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            connect_timeout_ms: 1_000,
            connections: 2,
            attempts: 3,
            retry_budget_percent: 20,
            retries_per_second: 1,
            in_flight: 64,
            breaker: BreakerConfig::default(),
        }
    }
}

impl ClientConfig {
    /// The same as the client takes it.
    pub fn limits(&self) -> Limits {
        Limits {
            timeout: Duration::from_millis(self.timeout_ms),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            connections: self.connections,
            attempts: self.attempts,
            retry_percent: self.retry_budget_percent,
            retries_per_second: self.retries_per_second,
            in_flight: self.in_flight,
            breaker_failures: self.breaker.consecutive_failures,
            breaker_in_flight: self.breaker.in_flight,
            breaker_backoff: Duration::from_millis(self.breaker.open_ms),
            breaker_max_backoff: Duration::from_millis(self.breaker.max_open_ms),
        }
    }
}

/// The circuit breaker before each target.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that open the circuit; 1 to 1,000.
    pub consecutive_failures: u32,
    /// Calls in flight from which one more counts as a failure in that row; 1 to `client.in_flight`. The circuit opens before all
    /// permits hang on a target that has become slow.
    pub in_flight: usize,
    /// How long it stays open the first time, in milliseconds; 10 to 600,000. Doubled each time the probe fails.
    pub open_ms: u64,
    /// How long it stays open at most, in milliseconds; from `open_ms` to 600,000.
    pub max_open_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { consecutive_failures: 5, in_flight: 48, open_ms: 1_000, max_open_ms: 30_000 }
    }
}
