//! Jumak's mesh on one machine: one process for each replica of each context, real servers under them, loopback between them.
//!
//! | context | its database |
//! |---|---|
//! | payment | MariaDB, or PostgreSQL as well |
//! | one of the outside, as the provider is | SQLite, hence one replica |
//! | any other | PostgreSQL, a database and a role for each |
//!
//! The bus is nats-server with JetStream, and each context is a user of its own there. Every process gets a configuration with its own
//! secrets only; the operator's, with everything but private keys of contexts in it, is `jumak.toml` in the mesh's folder.
//!
//! All of it dies with the process that started it. What the servers hold is in temporary folders and goes with them.

mod bus;
mod databases;
mod files;
mod identities;
mod local;
mod options;
mod ports;
mod replica;
pub mod trial;

pub use self::{
    local::LocalMesh,
    options::{Engines, Options, Ports, Servers, Variables},
    ports::step,
    replica::Replica,
};
