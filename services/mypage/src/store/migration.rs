//! The read model's tables, step by step.

use mesh::store::{
    Schema, TableIndex, Tables, flag, id, index, instant, key, large, number, optional_bytes, optional_id,
};
use sea_orm::{
    DbBackend,
    sea_query::{Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(READ_MODEL)]);

const READ_MODEL: Tables = Tables { name: "m0101_read_model", tables, indices: &INDICES };

const INDICES: [TableIndex; 6] = [
    index("business_case_room", "business_case", &["room_id"]),
    index("booking_parties", "booking", &["case_id", "user_name"]),
    index("booking_newest", "booking", &["user_name", "create_time", "case_id"]),
    index("booking_changes", "booking", &["user_name", "position"]),
    index("timeline_case", "timeline", &["case_id", "occur_time", "event_id"]),
    index("room_host", "room", &["host", "create_time"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![business_case(backend), booking(backend), viewer(backend), timeline(backend), room(backend)]
}

/// Either half of a case may come first: what the other one will tell has a default until then.
fn business_case(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("business_case")
        .col(id("case_id").primary_key())
        .col(key(backend, "kind", 16).default(""))
        .col(large("version").default(0))
        .col(key(backend, "correlation_id", 160).default(""))
        .col(optional_id("room_id"))
        .col(key(backend, "title", 80).default(""))
        .col(key(backend, "state", 32).default(""))
        .col(key(backend, "course", 16).default(""))
        .col(key(backend, "start_date", 10).default(""))
        .col(key(backend, "end_date", 10).default(""))
        .col(instant("end_time").default(0))
        .col(large("total_minor").default(0))
        .col(key(backend, "currency", 3).default(""))
        .col(optional_bytes(backend, "details"))
        .col(instant("source_time").default(0))
        .col(optional_id("payment_id"))
        .col(instant("payment_create_time").default(0))
        .col(large("payment_version").default(0))
        .col(key(backend, "payment_state", 32).default(""))
        .col(large("refunded_minor").default(0))
        .col(instant("payment_source_time").default(0))
        .to_owned()
}

fn booking(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("booking")
        .col(key(backend, "user_name", 80))
        .col(id("case_id"))
        .col(flag("is_guest"))
        .col(flag("is_host"))
        .col(key(backend, "counterparty", 80))
        .col(instant("create_time"))
        .col(large("position"))
        .col(instant("update_time"))
        .primary_key(Index::create().col("user_name").col("case_id"))
        .to_owned()
}

fn viewer(backend: DbBackend) -> TableCreateStatement {
    Table::create().table("viewer").col(key(backend, "user_name", 80).primary_key()).col(large("position")).to_owned()
}

fn timeline(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("timeline")
        .col(id("event_id"))
        .col(optional_id("case_id"))
        .col(key(backend, "subject", 160))
        .col(large("sequence"))
        .col(instant("occur_time"))
        .col(key(backend, "kind", 160))
        .col(key(backend, "actor", 160))
        .col(optional_id("causation_id"))
        .col(key(backend, "state", 32))
        .primary_key(Index::create().col("event_id").col("kind"))
        .to_owned()
}

fn room(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("room")
        .col(id("room_id").primary_key())
        .col(key(backend, "host", 80))
        .col(key(backend, "number", 16))
        .col(key(backend, "display_name", 80))
        .col(large("rate_minor"))
        .col(key(backend, "currency", 3))
        .col(number("units"))
        .col(flag("deleted"))
        .col(large("version"))
        .col(instant("create_time"))
        .col(instant("source_time"))
        .to_owned()
}
