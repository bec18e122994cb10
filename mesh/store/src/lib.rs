//! A context's own database on any engine, its transactions, and the mesh's tables in it: outbox, inbox, request records.

#![warn(unreachable_pub)]

pub mod db;
pub mod housekeeping;
pub mod inbox;
pub mod outbox;
pub mod page;
pub mod reach;
pub mod requests;
pub mod store;
pub mod task_reports;
#[cfg(test)]
mod testbed;
pub mod watch;

pub use db::{Database, Tx};
pub use reach::Reach;
