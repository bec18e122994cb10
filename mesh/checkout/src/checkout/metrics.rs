//! What checkouts count.

use std::sync::LazyLock;

use mesh_foundation::telemetry::counter;
use opentelemetry::metrics::Counter;

/// Cases that a payment's outcome has moved, by `context` and the `state` that they are in then.
pub(super) static SETTLED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("jumak.checkout.settled", "{case}", "Cases that a payment's outcome has moved"));

/// Cases that a sweeper looked at, by `context`.
pub(super) static SWEEPS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("jumak.checkout.sweeps", "{case}", "Cases that a sweeper looked at"));
