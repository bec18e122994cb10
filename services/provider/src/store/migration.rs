//! The tables, step by step.

use mesh::store::{Schema, TableIndex, Tables, id, index, instant, key, large, optional_instant};
use sea_orm::{
    DbBackend,
    sea_query::{Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables { name: "m0001_provider_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 3] = [
    index("charge_due", "charge", &["due_time"]),
    index("charge_create_time", "charge", &["create_time"]),
    index("charge_refund_due", "charge_refund", &["due_time"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![charge(backend), charge_refund(backend), movement(backend)]
}

fn charge(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("charge")
        .col(key(backend, "id", 64).primary_key())
        .col(key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(large("committed_minor"))
        .col(large("refunded_minor"))
        .col(key(backend, "state", 20))
        .col(key(backend, "plan", 32))
        .col(key(backend, "refund_plan", 32))
        .col(key(backend, "decline_reason", 32))
        .col(optional_instant("due_time"))
        .col(instant("create_time"))
        .col(large("revision"))
        .to_owned()
}

fn charge_refund(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("charge_refund")
        .col(key(backend, "charge_id", 64))
        .col(key(backend, "id", 64))
        .col(key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(key(backend, "state", 20))
        .col(key(backend, "failure_reason", 32))
        .col(optional_instant("due_time"))
        .col(instant("create_time"))
        .primary_key(Index::create().col("charge_id").col("id"))
        .to_owned()
}

fn movement(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("movement")
        .col(id("id").primary_key())
        .col(key(backend, "charge_id", 64))
        .col(key(backend, "direction", 16))
        .col(key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(instant("move_time"))
        .to_owned()
}
