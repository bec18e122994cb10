//! Delivery of events: the relay publishes an outbox to the bus, and consumers hand events from the bus to their policies.

#![warn(unreachable_pub)]

pub mod bus;
pub mod config;
pub mod consumer;
pub mod hearing;
pub mod policies;
pub mod relay;
#[cfg(test)]
mod testbed;
pub mod wiring;
