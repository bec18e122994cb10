//! An order that an index serves on every engine.

use sea_orm::{DbBackend, EntityTrait, Order, QueryOrder, Select};

/// Puts `absent` first in the ORDER BY. It is NULL in every selected row, but the index starts with it, and PostgreSQL uses the index for
/// the rest of the order only if the column is named.
///
/// MariaDB is the other way round: it sorts the rows if the column is named. SQLite uses the index either way.
pub fn behind<E: EntityTrait>(select: Select<E>, absent: E::Column, order: Order, backend: DbBackend) -> Select<E> {
    if backend == DbBackend::Postgres { select.order_by(absent, order) } else { select }
}
