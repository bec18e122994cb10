//! How a process tells what it does: logs for people, metrics for alerts.
//!
//! No log line, span or metric carries personal data, a token, or anything from a request but its method and correlation id.

use std::{io::IsTerminal, sync::LazyLock};

use opentelemetry::{
    global,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogConfig, LogFormat};

/// Upper bounds in seconds, placed around what a caller notices: a booking takes some tens of milliseconds, a call's own deadline
/// is 10 s, and nothing unary lives past 30 s.
const CALL_SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter has a directive that cannot be read.
    #[error("log.filter `{0}` cannot be read")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// Something else in this process writes the log already.
    #[error("the log is set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error, so that what a command prints stays clean. Once per process.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(&config.filter).map_err(|source| TelemetryError::Filter(config.filter.clone(), source))?;
    let registry = tracing_subscriber::registry().with(filter);
    match config.format {
        LogFormat::Text => {
            // Colours are for people; in a file they are noise.
            let ansi = std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(ansi)).try_init()?;
        }
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}

/// Every instrument. They belong to the meter provider that is in place when this is called first, so a process sets its provider
/// before it starts anything.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new(&global::meter("jumak")));
    &METRICS
}

/// The instruments, one field each.
#[derive(Debug)]
pub struct Metrics {
    /// Loops that run, by `loop`.
    pub background_loops: UpDownCounter<i64>,
    /// Events that the broker has stored, by `context`.
    pub relay_published: Counter<u64>,
    /// Batches that could not be published, by `context`.
    pub relay_failures: Counter<u64>,
    /// How long the oldest event that no broker has yet has waited, by `context`.
    pub outbox_lag_seconds: Gauge<f64>,
    /// Events handled, by `context`.
    pub consumer_handled: Counter<u64>,
    /// Events that had been handled before, by `context`.
    pub consumer_duplicates: Counter<u64>,
    /// Events of a kind that the consumer does not know, by `context`.
    pub consumer_unknown: Counter<u64>,
    /// Events put aside with their reason, by `context`.
    pub consumer_dead_letters: Counter<u64>,
    /// Times that a consumer stopped for its database or the network, by `context`.
    pub consumer_pauses: Counter<u64>,
    /// Calls answered, by `rpc.method` and `rpc.grpc.status_code`.
    pub calls: Counter<u64>,
    /// How long answering took, by `rpc.method`.
    pub call_seconds: Histogram<f64>,
    /// Calls being answered, by `context`.
    pub calls_in_flight: UpDownCounter<i64>,
    /// Calls turned away because too many were in flight, by `context`.
    pub shed: Counter<u64>,
    /// Calls to other contexts, by `callee`, `rpc.method` and `rpc.grpc.status_code`.
    pub client_calls: Counter<u64>,
    /// Attempts at such a call that were not the first one, by `callee`.
    pub client_retries: Counter<u64>,
    /// Such calls that our own layers refused, so that nothing was sent, by `callee` and `rpc.method`.
    pub client_refused_locally: Counter<u64>,
    /// Times that a circuit opened, by `callee`.
    pub breaker_opened: Counter<u64>,
    /// Cases that a payment's outcome has moved, by `context` and the `state` that they are in then.
    pub checkout_settled: Counter<u64>,
    /// Cases that a sweeper looked at, by `context`.
    pub sweeps: Counter<u64>,
    /// Refunds that came to their end, by `state`.
    pub refunds: Counter<u64>,
    /// Calls to the payment provider, by `operation` and `outcome`.
    pub provider_calls: Counter<u64>,
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, unit: &'static str, description: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(description).build()
        };
        let gauge = |name: &'static str, unit: &'static str, description: &'static str| {
            meter.i64_up_down_counter(name).with_unit(unit).with_description(description).build()
        };
        Self {
            background_loops: gauge("jumak.background.loops", "{loop}", "Background loops that run"),
            relay_published: counter("jumak.relay.published", "{event}", "Events that the broker has stored"),
            relay_failures: counter("jumak.relay.failures", "{batch}", "Batches that could not be published"),
            outbox_lag_seconds: meter
                .f64_gauge("jumak.outbox.lag")
                .with_unit("s")
                .with_description("How long the oldest event that no broker has yet has waited")
                .build(),
            consumer_handled: counter("jumak.consumer.handled", "{event}", "Events handled"),
            consumer_duplicates: counter("jumak.consumer.duplicates", "{event}", "Events that had been handled before"),
            consumer_unknown: counter(
                "jumak.consumer.unknown",
                "{event}",
                "Events of a kind the consumer does not know",
            ),
            consumer_dead_letters: counter(
                "jumak.consumer.dead_letters",
                "{event}",
                "Events put aside with their reason",
            ),
            consumer_pauses: counter("jumak.consumer.pauses", "{pause}", "Pauses for the database or the network"),
            calls: counter("jumak.server.calls", "{call}", "Calls answered"),
            call_seconds: meter
                .f64_histogram("jumak.server.call.duration")
                .with_unit("s")
                .with_description("How long answering a call took")
                .with_boundaries(CALL_SECONDS.to_vec())
                .build(),
            calls_in_flight: gauge("jumak.server.calls.in_flight", "{call}", "Calls being answered"),
            shed: counter("jumak.server.shed", "{call}", "Calls turned away because too many were in flight"),
            client_calls: counter("jumak.client.calls", "{call}", "Calls to other contexts"),
            client_retries: counter("jumak.client.retries", "{call}", "Attempts that were not the first one"),
            client_refused_locally: counter("jumak.client.refused_locally", "{call}", "Calls that were never sent"),
            breaker_opened: counter("jumak.client.breaker.opened", "{opening}", "Times that a circuit opened"),
            checkout_settled: counter("jumak.checkout.settled", "{case}", "Cases that a payment's outcome has moved"),
            sweeps: counter("jumak.checkout.sweeps", "{case}", "Cases that a sweeper looked at"),
            refunds: counter("jumak.refunds", "{refund}", "Refunds that came to their end"),
            provider_calls: counter("jumak.provider.calls", "{call}", "Calls to the payment provider"),
        }
    }
}
