//! This context's schema.

use mesh::{
    checkout::payments::{MAX_ACTION_URI_CHARS, MAX_LABEL_CHARS, MAX_REASON_CHARS},
    store::{
        Schema, TableIndex, Tables, bytes, flag, id, index, instant, key, large, number, optional_bytes,
        optional_instant, optional_key, optional_large,
    },
};
use sea_orm::{
    DbBackend,
    sea_query::{Expr, ExprTrait, Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables { name: "m0002_reservation_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 4] = [
    index("reservation_guest", "reservation", &["guest", "id"]),
    index("reservation_host", "reservation", &["host", "id"]),
    index("reservation_room", "reservation", &["room", "state"]),
    index("reservation_due", "reservation", &["next_attempt_time", "id"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    let payer = Table::create().table("payer").col(key(backend, "name", 80).primary_key()).to_owned();
    vec![reservation(backend), room(backend), night(backend), payer]
}

fn reservation(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("reservation")
        .col(id("id").primary_key())
        .col(large("version"))
        .col(key(backend, "state", 20))
        .col(flag("all_or_nothing"))
        .col(number("attempt"))
        .col(flag("attempt_open"))
        .col(number("calls"))
        .col(flag("paid"))
        .col(flag("cancel_asked"))
        .col(key(backend, "correlation_id", 160))
        .col(key(backend, "guest", 80))
        .col(key(backend, "host", 80))
        .col(id("room"))
        .col(key(backend, "check_in_date", 10))
        .col(key(backend, "check_out_date", 10))
        .col(number("units"))
        .col(number("guests"))
        .col(large("total_minor"))
        .col(key(backend, "currency", 3))
        .col(optional_large("refund_minor"))
        .col(instant("earn_time"))
        .col(instant("hold_expire_time"))
        .col(optional_instant("next_attempt_time"))
        .col(number("sweeps"))
        .col(optional_key(backend, "payment_label", MAX_LABEL_CHARS))
        .col(optional_instant("pay_time"))
        .col(optional_key(backend, "action_uri", MAX_ACTION_URI_CHARS))
        .col(optional_instant("action_expire_time"))
        .col(optional_key(backend, "reject_reason", MAX_REASON_CHARS))
        .col(optional_key(backend, "refund_failure_reason", MAX_REASON_CHARS))
        .col(optional_key(backend, "cancel_party", 20))
        .col(optional_key(backend, "cancel_cause", 20))
        .col(optional_key(backend, "cancel_reason", 200))
        .col(optional_instant("confirm_time"))
        .col(optional_instant("cancel_time"))
        .col(large("orphans"))
        .col(key(backend, "confirmation_code", 12))
        .col(bytes(backend, "frozen"))
        .col(optional_bytes(backend, "guest_details"))
        .col(instant("create_time"))
        .col(instant("update_time"))
        .to_owned()
}

fn room(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("room")
        .col(id("id").primary_key())
        .col(large("version"))
        .col(flag("deleted"))
        .col(flag("cancel_stays"))
        .col(number("units"))
        .col(bytes(backend, "resource"))
        .to_owned()
}

fn night(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("night")
        .col(id("room"))
        .col(key(backend, "night", 10))
        .col(number("offered"))
        .col(number("capacity"))
        .col(number("taken"))
        .col(number("blocked"))
        .col(large("block_version"))
        .primary_key(Index::create().col("room").col("night"))
        // The last word on overselling: whatever a program does, the database refuses it.
        .check(Expr::col("taken").gte(0))
        .check(Expr::col("taken").lte(Expr::col("capacity")))
        .to_owned()
}
