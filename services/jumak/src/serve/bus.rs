//! Connects to the bus of the mesh.

use std::sync::Arc;

use mesh::{
    bus::{SharedBus, jetstream::JetStreamBus},
    config::Config,
};
use tokio::time::Instant;

use super::wait::{Failure, until_there};
use crate::house::Member;

/// Connects to the configured bus, and waits for it until `deadline`.
pub(super) async fn connect(members: &[Member], config: &Config, deadline: Instant) -> anyhow::Result<SharedBus> {
    // A user receives only messages that are addressed to its own name.
    let client = config.bus.user.clone().unwrap_or_else(|| {
        let names: Vec<_> = members.iter().map(|member| member.name()).collect();
        names.join("-")
    });
    let bus = JetStreamBus::connect(&config.bus, &client).await?;
    let ready = || async { bus.ready().await.map_err(|error| Failure::Retryable(error.into())) };
    until_there("the bus", deadline, ready).await?;
    Ok(Arc::new(bus))
}
