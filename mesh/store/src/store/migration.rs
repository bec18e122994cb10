//! The first step: all of `mesh`'s tables.

use sea_orm::{
    DbBackend,
    sea_query::{ColumnDef, Index, Table, TableCreateStatement},
};

use super::{
    TableIndex, Tables, bytes, id, index, instant, key, large, number, optional_bytes, optional_instant, optional_key,
    unique_index,
};

pub(super) const TABLES: Tables = Tables { name: "m0001_mesh_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 5] = [
    unique_index("outbox_subject_sequence", "outbox", &["subject", "sequence"]),
    index("outbox_unpublished", "outbox", &["publish_time", "id"]),
    index("inbox_handle_time", "inbox", &["handle_time"]),
    index("request_case", "request", &["case_name"]),
    index("request_create_time", "request", &["create_time"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![outbox(backend), relay(backend), inbox(backend), failure(backend), incarnation(), request(backend)]
}

fn outbox(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("outbox")
        .col(id("id").primary_key())
        .col(key(backend, "subject", 160))
        .col(large("sequence"))
        .col(key(backend, "kind", 160))
        .col(key(backend, "route", 200))
        .col(instant("occur_time"))
        .col(key(backend, "correlation_id", 160))
        .col(optional_key(backend, "causation_id", 64))
        .col(key(backend, "actor", 160))
        .col(optional_key(backend, "traceparent", 64))
        .col(bytes(backend, "body"))
        .col(optional_instant("publish_time"))
        .col(instant("next_attempt_time"))
        .to_owned()
}

fn relay(backend: DbBackend) -> TableCreateStatement {
    Table::create().table("relay").col(number("id").primary_key()).col(key(backend, "epoch", 64)).to_owned()
}

fn inbox(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("inbox")
        .col(key(backend, "consumer", 120))
        .col(id("event_id"))
        .col(instant("handle_time"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned()
}

fn failure(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("failure")
        .col(key(backend, "consumer", 120))
        .col(id("event_id"))
        .col(number("failures"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned()
}

fn incarnation() -> TableCreateStatement {
    Table::create().table("incarnation").col(number("id").primary_key()).col(id("incarnation")).to_owned()
}

fn request(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("request")
        .col(key(backend, "principal", 120))
        .col(key(backend, "method", 80))
        .col(key(backend, "request_id", 64))
        .col(ColumnDef::new("fingerprint").var_binary(32).not_null())
        .col(optional_key(backend, "case_name", 120))
        .col(number("attempt"))
        .col(optional_bytes(backend, "answer"))
        .col(instant("create_time"))
        .primary_key(Index::create().col("principal").col("method").col("request_id"))
        .to_owned()
}
