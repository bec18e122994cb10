//! The tables that `mesh` keeps in every context's database: outbox, inbox, request records, and what each needs to find its place.
//!
//! Rules for all of Jumak's tables, so that each runs on every engine: instants are BIGINT microseconds UTC; ids are 16 bytes; keys
//! compare byte by byte ([`key`]); no statement needs RETURNING, an upsert or an advisory lock.

pub mod entity;
mod migration;

use sea_orm::{DbBackend, sea_query::ColumnDef};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::{db::Database, error::Error};

/// The migrations of `mesh`'s own tables: a context's migrator lists them first.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(migration::Tables)]
}

/// Brings a context's database up to the migrator's last step.
pub async fn migrate<M: MigratorTrait>(database: &Database) -> Result<(), Error> {
    M::up(database.for_migrations(), None).await?;
    Ok(())
}

/// A column for a key of at most `length` characters: text that is compared byte by byte, whatever the database's default.
pub fn key(backend: DbBackend, name: &'static str, length: u32) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.string_len(length).not_null();
    binary_collation(backend, &mut column);
    column
}

/// A column for a key that may be absent.
pub fn optional_key(backend: DbBackend, name: &'static str, length: u32) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.string_len(length).null();
    binary_collation(backend, &mut column);
    column
}

fn binary_collation(backend: DbBackend, column: &mut ColumnDef) {
    if backend == DbBackend::MySql {
        // The collation brings its character set along; CHARACTER SET itself may not stand behind NOT NULL.
        column.extra("COLLATE utf8mb4_bin");
    }
}

/// A column for an instant: microseconds since 1970, UTC.
pub fn instant(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().not_null();
    column
}

/// A column for an instant that may be absent.
pub fn optional_instant(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer().null();
    column
}
