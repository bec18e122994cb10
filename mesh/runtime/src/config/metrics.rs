//! The listener for scrapers.

use std::net::SocketAddr;

use mesh_foundation::findings::Findings;
use serde::Deserialize;

use super::Config;

/// Metrics in Prometheus' text format, over plain HTTP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `/metrics` is served: an IP address and a port, another one than `listen`. Port 0 takes a free one. Unset: nowhere. It asks
    /// for no token: whoever reaches it can read how much of what is called.
    pub listen: Option<SocketAddr>,
}

pub(super) fn check(found: &mut Findings, config: &Config) {
    if let Some(listen) = config.metrics.listen {
        let apart = listen != config.listen || listen.port() == 0;
        found.unless(
            apart,
            "metrics.listen",
            format!("is {listen}, where calls are taken; it must be another address"),
        );
    }
}
