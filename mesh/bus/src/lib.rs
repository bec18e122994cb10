//! Events on their way: from an outbox by the relay over the bus to the consumers and their policies.

pub mod bus;
pub mod config;
pub mod consumer;
pub mod hearing;
pub mod policies;
pub mod relay;
#[cfg(test)]
mod testbed;
pub mod wiring;
