//! Columns and indices, each kind defined once for all engines.

use sea_orm::{
    DbBackend,
    sea_query::{ColumnDef, Index, IndexCreateStatement},
};

/// The no-pad binary collation, which compares byte by byte; with other collations `a` and `a ` are equal. MySQL and MariaDB have
/// different names for it, and each reads only its own comment. (The collation implies the character set.)
const MYSQL_BINARY: &str = "COLLATE /*M! utf8mb4_nopad_bin *//*!80000 utf8mb4_0900_bin */";

/// Text of at most `length` characters that is compared byte by byte, whatever the database's default: two keys that differ in case
/// or in trailing blanks are two.
pub fn key(backend: DbBackend, name: &'static str, length: u32) -> ColumnDef {
    let mut column = optional_key(backend, name, length);
    column.not_null();
    column
}

/// A [`key`] that may be absent.
pub fn optional_key(backend: DbBackend, name: &'static str, length: u32) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.string_len(length);
    if backend == DbBackend::MySql {
        column.extra(MYSQL_BINARY);
    }
    column
}

/// An id: 16 bytes.
pub fn id(name: &'static str) -> ColumnDef {
    let mut column = optional_id(name);
    column.not_null();
    column
}

/// An [`id`] that may be absent.
pub fn optional_id(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.uuid();
    column
}

/// An instant: microseconds since 1970, UTC. No engine's own type keeps the fraction and the zone as they are.
pub fn instant(name: &'static str) -> ColumnDef {
    large(name)
}

/// An [`instant`] that may be absent.
pub fn optional_instant(name: &'static str) -> ColumnDef {
    optional_large(name)
}

/// A whole number of 32 bits.
pub fn number(name: &'static str) -> ColumnDef {
    let mut column = optional_number(name);
    column.not_null();
    column
}

/// A [`number`] that may be absent.
pub fn optional_number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.integer();
    column
}

/// A whole number of 64 bits: a version, an amount in minor units.
pub fn large(name: &'static str) -> ColumnDef {
    let mut column = optional_large(name);
    column.not_null();
    column
}

/// A [`large`] number that may be absent.
pub fn optional_large(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer();
    column
}

/// A number of 64 bits with a binary fraction.
pub fn real(name: &'static str) -> ColumnDef {
    let mut column = optional_real(name);
    column.not_null();
    column
}

/// A [`real`] number that may be absent.
pub fn optional_real(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.double();
    column
}

/// Yes or no.
pub fn flag(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.boolean().not_null();
    column
}

/// Bytes, up to 16 MiB.
pub fn bytes(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = optional_bytes(backend, name);
    column.not_null();
    column
}

/// [`bytes`] that may be absent.
pub fn optional_bytes(backend: DbBackend, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match backend {
        // Its plain blob ends at 64 KiB.
        DbBackend::MySql => column.custom("mediumblob"),
        _ => column.blob(),
    };
    column
}

/// An index of a table, in the order of its columns.
#[derive(Clone, Copy, Debug)]
pub struct TableIndex {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    columns: &'static [&'static str],
    unique: bool,
}

/// An index for lookups.
pub const fn index(name: &'static str, table: &'static str, columns: &'static [&'static str]) -> TableIndex {
    TableIndex { name, table, columns, unique: false }
}

/// A unique index; rows with NULL in one of its columns never conflict.
pub const fn unique_index(name: &'static str, table: &'static str, columns: &'static [&'static str]) -> TableIndex {
    TableIndex { name, table, columns, unique: true }
}

impl TableIndex {
    pub(super) fn statement(self) -> IndexCreateStatement {
        let mut index = Index::create();
        index.name(self.name).table(self.table);
        for column in self.columns {
            index.col(*column);
        }
        if self.unique {
            index.unique();
        }
        index
    }
}
