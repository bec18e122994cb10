//! The tables that `mesh` keeps in every context's database: outbox, inbox, request records, and their places and positions.
//!
//! Rules for all of Jumak's tables, so that each runs on every engine: instants are BIGINT microseconds UTC; ids are 16 bytes; keys
//! compare byte by byte ([`key`]); no statement needs RETURNING, an upsert or an advisory lock. The columns below follow them.

pub mod claim;
mod column;
pub mod entity;
mod lease;
pub mod loss;
mod migrate;
mod migration;
mod migrator;
mod place;
mod reading;
mod schema;
mod stream_position;
mod tables;
#[cfg(test)]
mod tests;
pub mod version;

pub use self::{
    column::{
        TableIndex, bytes, flag, id, index, instant, key, large, number, optional_bytes, optional_id, optional_instant,
        optional_key, optional_large, optional_number, optional_real, real, unique_index,
    },
    migrate::{migrate, pending},
    migrator::{MigrationTrait, MigratorTrait, SchemaManager},
    reading::{Reading, int},
    schema::Schema,
    tables::Tables,
};

/// The steps of `mesh`'s own tables, which come before a context's in its [`Schema`].
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(migration::TABLES), Box::new(stream_position::StreamPosition), Box::new(place::TABLES)]
}
