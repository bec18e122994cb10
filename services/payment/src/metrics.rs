//! Payment's metrics.

use std::sync::LazyLock;

use mesh::telemetry::counter;
use opentelemetry::metrics::Counter;

/// Refunds that came to their end, by `state`.
pub static REFUNDS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("jumak.refunds", "{refund}", "Refunds that came to their end"));

/// Calls to the payment provider, by `operation` and `outcome`.
pub static PROVIDER_CALLS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("jumak.provider.calls", "{call}", "Calls to the payment provider"));
