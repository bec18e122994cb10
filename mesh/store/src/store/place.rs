//! The third step: the place of each consumer.

use sea_orm::{
    DbBackend,
    sea_query::{Table, TableCreateStatement},
};

use super::{Tables, id, key, large};

pub(super) const TABLES: Tables = Tables { name: "m0003_place", tables, indices: &[] };

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    let place = Table::create()
        .table("place")
        .col(key(backend, "consumer", 120).primary_key())
        .col(large("position"))
        .col(id("event_id"))
        .to_owned();
    vec![place]
}
