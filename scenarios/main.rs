//! The five systems as acceptance tests, and the proofs behind them. A scenario is named after its row in the requirements.
//!
//! Each runs against a whole system: the contexts, the bus, the simulated provider, over the socket, as a user would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what helps a scenario is no test by itself, and what cannot go on has failed all the same"
)]
// A scenario's future holds a whole system's: more nested types than the compiler lays out by default.
#![recursion_limit = "256"]

mod access;
mod bad_input;
mod bench;
mod beyond;
mod budget;
mod canary;
mod command_line;
mod contract;
mod failing_disk;
mod hotel;
mod house;
mod kill;
mod mesh;
mod model;
mod my_hotel;
mod racers;
mod read_model;
mod serve;
mod soak;
mod stock_client;
mod support;
mod telemetry;
mod tokens;
mod versions;
