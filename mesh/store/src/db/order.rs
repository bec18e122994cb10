//! An order that an index serves on every engine.

use sea_orm::{DbBackend, EntityTrait, Order, QueryOrder, Select};

/// Begins the order of rows that have no value in `absent`, with which an index begins that has them in the rest of that order.
///
/// PostgreSQL does not see that what is asked to be absent is the same everywhere: it reads all such rows and sorts them, unless the column
/// is named in the order. MariaDB sees it, and sorts them if it is named. SQLite takes it either way.
pub fn behind<E: EntityTrait>(select: Select<E>, absent: E::Column, order: Order, backend: DbBackend) -> Select<E> {
    if backend == DbBackend::Postgres { select.order_by(absent, order) } else { select }
}
