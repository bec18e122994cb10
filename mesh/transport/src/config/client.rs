//! The calls from one context to another.

use std::time::Duration;

use mesh_foundation::findings::Findings;
use serde::Deserialize;

use crate::client::Limits;

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

    /// Finds all that is wrong with the calls' settings.
    pub fn check(&self, found: &mut Findings) {
        found.within("client.timeout_ms", self.timeout_ms, 10..=30_000);
        found.within("client.connect_timeout_ms", self.connect_timeout_ms, 10..=10_000);
        found.within("client.connections", self.connections, 1..=16);
        found.within("client.attempts", self.attempts, 1..=10);
        found.within("client.retry_budget_percent", self.retry_budget_percent, 0..=100);
        found.within("client.retries_per_second", self.retries_per_second, 0..=1_000);
        found.within("client.in_flight", self.in_flight, 1..=10_000);
        found.within("client.breaker.consecutive_failures", self.breaker.consecutive_failures, 1..=1_000);
        found.within("client.breaker.in_flight", self.breaker.in_flight, 1..=self.in_flight);
        found.within("client.breaker.open_ms", self.breaker.open_ms, 10..=600_000);
        found.within("client.breaker.max_open_ms", self.breaker.max_open_ms, self.breaker.open_ms..=600_000);
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
    /// How long it stays open the first time, in milliseconds; 10 to 600,000. Doubled each time a probe fails; if the callee says when it
    /// can serve again, the circuit stays open until then instead.
    pub open_ms: u64,
    /// How long it stays open at most, in milliseconds; from `open_ms` to 600,000. A callee that has recovered may get no calls for this
    /// long.
    pub max_open_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { consecutive_failures: 5, in_flight: 48, open_ms: 500, max_open_ms: 1_000 }
    }
}
