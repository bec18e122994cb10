//! Real servers for tests and for `make mesh`: nats-server, PostgreSQL and MariaDB, each on a loopback port and in a temporary folder.
//!
//! Each can be killed as by a power cut, paused, and started again on the same port and data. `scripts/install-tools.sh` installs them; if
//! one is missing, the error says so.

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
