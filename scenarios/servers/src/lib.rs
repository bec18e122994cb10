//! Real servers: nats-server, PostgreSQL and MariaDB, started on loopback ports of their own, with their data in a folder that is
//! gone afterwards. For tests, and for the mesh that one tries out at home.
//!
//! Each can be killed as by a power cut, stopped for a while, and started again on the same port and data. `scripts/install-tools.sh`
//! installs them; a server that is not there is an error that says so.

mod database;
pub mod engine;
mod home;
mod mariadb;
mod nats;
mod pgbouncer;
pub mod plan;
mod postgres;
mod process;
pub mod small_disk;
#[cfg(test)]
mod tests;

pub use self::{
    database::Durability,
    mariadb::MariaDb,
    nats::{Nats, NatsOptions, SavedNats},
    pgbouncer::{PgBouncer, PoolMode},
    postgres::Postgres,
    process::{Server, free_port, spawn},
};
