//! The tables that `mesh` keeps in every context's database: outbox, inbox, request records, and their places and positions.
//!
//! Rules for all of Jumak's tables, so that each runs on every engine: instants are BIGINT microseconds UTC; ids are 16 bytes; keys
//! compare byte by byte ([`table_of`]); no statement needs RETURNING, an upsert or an advisory lock.

pub mod claim;
pub mod entity;
mod lease;
pub mod loss;
mod migrate;
mod migration;
mod migrator;
pub mod prelude;
mod reading;
mod schema;
mod table;
mod tables;
#[cfg(test)]
mod tests;
pub mod version;

pub use self::{
    migrate::{migrate, pending},
    migrator::{MigrationTrait, MigratorTrait, SchemaManager},
    reading::{Reading, int},
    schema::Schema,
    table::{TableIndex, index, table_of, unique_index},
    tables::Tables,
};

/// The steps of `mesh`'s own tables, which come before a context's in its [`Schema`].
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(migration::TABLES)]
}
