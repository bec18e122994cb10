//! Jumak's mesh on one machine: one process for each replica of each context, with real database servers and a real broker, over loopback.
//!
//! | context | its database |
//! |---|---|
//! | payment | MariaDB, or PostgreSQL as well |
//! | an outside context, such as the provider | SQLite, therefore one replica |
//! | any other | PostgreSQL, with a database and a role for each |
//!
//! The bus is nats-server with JetStream, with a user for each context. Every process gets a configuration with only its own secrets. The
//! operator's configuration is `jumak.toml` in the mesh's folder; it contains everything except the contexts' private keys.
//!
//! All processes end when the process that started them ends. The servers' data is in temporary folders and is removed with them.

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
