//! The one stack behind every call to another context.
//!
//! The generated clients take any `tower` service; they are given an [`Upstream`]. Behind it stands the same stack of layers for
//! every callee (`stack.rs` lists them and says why each is there) and one of two leaves: a connection, or, when both contexts run
//! in one process, the callee's own server. The code above the leaf cannot tell which.
//!
//! A failed call leaves its caller with one question: may it have had an effect? [`surely_not_sent`] answers it. It says yes only
//! when every attempt was refused by these layers, failed to connect, or was turned away by the callee's own layers before any
//! work. Any other outcome is unknown, and a caller that pays money treats it as such.
//!
//! The stack is for unary calls. A request is read into memory before it is sent, so that a retry has something to send, and a
//! reply before it is handed up, so that every layer sees the status it ends with.
//!
//! Limits belong to a pair of caller and callee, never to a process: otherwise bookings would hold the permits that the payment
//! they wait for needs.

mod breaker;
mod budget;
mod call;
mod circuit;
mod deadline;
mod failure;
mod identity;
mod in_process;
mod layer;
mod leaf;
mod outgoing;
mod pool;
mod retry;
mod stack;
#[cfg(test)]
mod tests;
mod trace;
mod upstream;
mod upstreams;

use std::time::Duration;

use mesh_foundation::error::Error;

pub use self::{
    breaker::BreakerState,
    failure::surely_not_sent,
    in_process::{ContextService, InProcess},
    outgoing::{DEFAULT_DEADLINE, Idempotent, Outgoing, OutgoingRequest, outgoing},
    upstream::Upstream,
    upstreams::{Builder, Upstreams},
};

/// Mints the tokens by which a context says who it is.
pub trait TokenSource: Send + Sync + 'static {
    /// A token that `callee`, and nobody else, accepts.
    fn token(&self, callee: &str) -> Result<String, Error>;
}

/// What one context allows its calls to one other context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long connecting may take; a call that cannot connect was not sent.
    pub connect_timeout: Duration,
    /// Connections to each address of the callee.
    pub connections: usize,
    /// How often a call is tried, the first attempt included. An attempt that a stopping or starting replica turns away while another
    /// one is up does not count.
    pub attempts: u32,
    /// How many retries a hundred calls earn.
    pub retry_percent: u32,
    /// How many retries each second earns, so that a quiet upstream can be retried too.
    pub retries_per_second: u32,
    /// How many calls may be in flight; the next one is shed.
    pub in_flight: usize,
    /// After how many failures in a row the circuit opens.
    pub breaker_failures: u32,
    /// A call that begins with this many in flight counts as a failure at once, if none of them was answered for a tenth of `timeout`,
    /// or 100 ms if that is longer.
    pub breaker_in_flight: usize,
    /// How long the circuit stays open at first; doubles with each probe that fails.
    pub breaker_backoff: Duration,
    /// How long it stays open at most.
    pub breaker_max_backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            connections: 2,
            attempts: 3,
            retry_percent: 20,
            retries_per_second: 1,
            in_flight: 64,
            breaker_failures: 5,
            breaker_in_flight: 48,
            breaker_backoff: Duration::from_millis(500),
            breaker_max_backoff: Duration::from_secs(1),
        }
    }
}
