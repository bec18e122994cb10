//! The instruments that every process has, in [`metrics`]. The instruments of one context or one mechanism are declared there, by
//! [`counter`].
//!
//! No metric carries personal data, a token, or anything from a request but its method.

use std::sync::LazyLock;

use opentelemetry::{
    global,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};

/// Upper bounds in seconds, around durations that a caller notices: a booking takes some tens of milliseconds, a call's own deadline is
/// 10 s, and no unary call takes more than 30 s.
const CALL_SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// A counter of one context or one mechanism. Create it at its first use: it belongs to the meter provider of that moment.
pub fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    global::meter("jumak").u64_counter(name).with_unit(unit).with_description(description).build()
}

/// The instruments that every process has. They belong to the meter provider at the time of the first call, so a process sets its
/// provider before it starts anything.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new(&global::meter("jumak")));
    &METRICS
}

/// The instruments that every process has, one field each.
#[derive(Debug)]
pub struct Metrics {
    /// Loops that run, by `loop`.
    pub background_loops: UpDownCounter<i64>,
    /// Turns of background tasks, by `loop` and `outcome`: `more`, `idle`, `failed`.
    pub background_turns: Counter<u64>,
    /// When the last such turn ended, by `loop` and `outcome`.
    pub background_last_turn: Gauge<u64>,
    /// Events that the broker has stored, by `context`.
    pub relay_published: Counter<u64>,
    /// Batches that could not be published, by `context`.
    pub relay_failures: Counter<u64>,
    /// Events that the stream had acknowledged and lost, so that they were published again, by `context`.
    pub relay_lost: Counter<u64>,
    /// Events that the stream has dropped, because an operator limited or emptied it, by `context` and whether they are published again
    /// (`refilled`).
    pub relay_dropped: Counter<u64>,
    /// Events that the bus refused while it accepted others, counted at each attempt, by `context`.
    pub relay_refused: Counter<u64>,
    /// Events of the connection to the broker, by `client` and `event`: connected, disconnected, error, and so on.
    pub bus_connection: Counter<u64>,
    /// Operations that the broker did not permit, by `client`.
    pub bus_refusals: Counter<u64>,
    /// Times that the broker's heartbeats stopped while a consumer waited, by `consumer`.
    pub bus_stalls: Counter<u64>,
    /// How long the oldest unpublished event has waited, by `context`; also while it is deferred.
    pub outbox_lag_seconds: Gauge<f64>,
    /// Events handled, by `context`.
    pub consumer_handled: Counter<u64>,
    /// Events that had been handled before, by `context`.
    pub consumer_duplicates: Counter<u64>,
    /// Events of a kind that the consumer does not know, by `context`.
    pub consumer_unknown: Counter<u64>,
    /// Events that became dead letters, by `context`.
    pub consumer_dead_letters: Counter<u64>,
    /// Times that a consumer stopped for its database or the network, by `context`.
    pub consumer_pauses: Counter<u64>,
    /// Times that the stream had dropped events that a consumer may not have handled, by `context`.
    pub consumer_gaps: Counter<u64>,
    /// Calls answered, by `rpc.method` and `rpc.grpc.status_code`.
    pub calls: Counter<u64>,
    /// How long answering took, by `rpc.method`.
    pub call_seconds: Histogram<f64>,
    /// Calls being answered, by `context`.
    pub calls_in_flight: UpDownCounter<i64>,
    /// Calls refused because too many were in flight, by `context`.
    pub shed: Counter<u64>,
    /// Calls to other contexts, by `callee`, `rpc.method` and `rpc.grpc.status_code`.
    pub client_calls: Counter<u64>,
    /// Attempts at such a call that were not the first one, by `callee`.
    pub client_retries: Counter<u64>,
    /// Such calls that our own layers refused, so that nothing was sent, by `callee`, `rpc.method` and `cause`: `circuit_open`, `shed`.
    pub client_refused_locally: Counter<u64>,
    /// Changes of a circuit, by `callee` and the `state` that it is in then: `open`, `half-open`, `closed`.
    pub breaker_changes: Counter<u64>,
    /// Connections to other contexts that are up, by `callee`.
    pub client_connections: UpDownCounter<i64>,
    /// Attempts to connect to another context that failed, by `callee`.
    pub client_connect_failures: Counter<u64>,
    /// Reloads of changed certificates, by `outcome`: `taken` or `refused`.
    pub tls_reloads: Counter<u64>,
    /// TLS handshakes of clients that failed.
    pub tls_handshake_failures: Counter<u64>,
    /// Fetches of an issuer's keys, by `issuer` and `outcome`: `ok` or `failed`.
    pub key_fetches: Counter<u64>,
    /// How large the write-ahead log of a SQLite database is, by `database`.
    pub sqlite_log_bytes: Gauge<u64>,
    /// Checkpoints of a write-ahead log that had grown large, by `database` and `outcome`: `complete`, `blocked`, `failed`.
    pub sqlite_checkpoints: Counter<u64>,
    /// Batches that the collector did not accept, by `signal`.
    pub export_failures: Counter<u64>,
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
            background_turns: counter("jumak.background.turns", "{turn}", "Turns of background tasks"),
            background_last_turn: meter
                .u64_gauge("jumak.background.last_turn")
                .with_unit("s")
                .with_description("When the last turn of a background task ended, in seconds since 1970")
                .build(),
            relay_published: counter("jumak.relay.published", "{event}", "Events that the broker has stored"),
            relay_failures: counter("jumak.relay.failures", "{batch}", "Batches that could not be published"),
            relay_lost: counter("jumak.relay.lost", "{event}", "Events that the stream had acknowledged and lost"),
            relay_dropped: counter("jumak.relay.dropped", "{event}", "Events that the stream was made to drop"),
            relay_refused: counter(
                "jumak.relay.refused",
                "{event}",
                "Events that the bus refused while it took others",
            ),
            bus_connection: counter("jumak.bus.connection", "{event}", "Events of the connection to the broker"),
            bus_refusals: counter("jumak.bus.refusals", "{refusal}", "Operations that the broker did not permit"),
            bus_stalls: counter("jumak.bus.stalls", "{stall}", "Times that the broker's heartbeats stopped"),
            outbox_lag_seconds: meter
                .f64_gauge("jumak.outbox.lag")
                .with_unit("s")
                .with_description("How long the oldest unpublished event has waited")
                .build(),
            consumer_handled: counter("jumak.consumer.handled", "{event}", "Events handled"),
            consumer_duplicates: counter("jumak.consumer.duplicates", "{event}", "Events that had been handled before"),
            consumer_unknown: counter(
                "jumak.consumer.unknown",
                "{event}",
                "Events of a kind the consumer does not know",
            ),
            consumer_dead_letters: counter("jumak.consumer.dead_letters", "{event}", "Events that became dead letters"),
            consumer_gaps: counter("jumak.consumer.gaps", "{gap}", "Gaps in the stream before a consumer"),
            consumer_pauses: counter("jumak.consumer.pauses", "{pause}", "Pauses for the database or the network"),
            calls: counter("jumak.server.calls", "{call}", "Calls answered"),
            call_seconds: meter
                .f64_histogram("jumak.server.call.duration")
                .with_unit("s")
                .with_description("How long answering a call took")
                .with_boundaries(CALL_SECONDS.to_vec())
                .build(),
            calls_in_flight: gauge("jumak.server.calls.in_flight", "{call}", "Calls being answered"),
            shed: counter("jumak.server.shed", "{call}", "Calls refused because too many were in flight"),
            client_calls: counter("jumak.client.calls", "{call}", "Calls to other contexts"),
            client_retries: counter("jumak.client.retries", "{call}", "Attempts that were not the first one"),
            client_refused_locally: counter("jumak.client.refused_locally", "{call}", "Calls that were never sent"),
            breaker_changes: counter("jumak.client.breaker.changes", "{change}", "Changes of a circuit's state"),
            client_connections: gauge("jumak.client.connections", "{connection}", "Connections that are up"),
            client_connect_failures: counter("jumak.client.connect_failures", "{attempt}", "Failures to connect"),
            tls_reloads: counter("jumak.tls.reloads", "{reload}", "Reloads of changed certificates"),
            tls_handshake_failures: counter("jumak.tls.handshake_failures", "{handshake}", "Handshakes that failed"),
            key_fetches: counter("jumak.auth.key_fetches", "{fetch}", "Fetches of an issuer's keys"),
            sqlite_log_bytes: meter
                .u64_gauge("jumak.sqlite.write_ahead_log.size")
                .with_unit("By")
                .with_description("How large the write-ahead log of a SQLite database is")
                .build(),
            sqlite_checkpoints: counter(
                "jumak.sqlite.checkpoints",
                "{checkpoint}",
                "Checkpoints of a write-ahead log that had grown large",
            ),
            export_failures: counter(
                "jumak.telemetry.export.failures",
                "{batch}",
                "Batches that the collector did not accept",
            ),
        }
    }
}
