//! This context's schema.

use mesh::{
    checkout::store::{columns_v1, payers_v1},
    store::{Schema, TableIndex, Tables, bytes, flag, id, index, key, large, number, optional_bytes},
};
use sea_orm::{
    DbBackend,
    sea_query::{Expr, ExprTrait, Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables { name: "m0002_reservation_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 4] = [
    index("reservation_payer", "reservation", &["payer", "id"]),
    index("reservation_payee", "reservation", &["payee", "id"]),
    index("reservation_room", "reservation", &["room", "state"]),
    index("reservation_due", "reservation", &["next_attempt_time", "id"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![reservation(backend), room(backend), night(backend), payers_v1(backend)]
}

fn reservation(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create().table("reservation").to_owned();
    columns_v1(&mut table, backend);
    table
        .col(id("room"))
        .col(key(backend, "check_in_date", 10))
        .col(key(backend, "check_out_date", 10))
        .col(number("units"))
        .col(number("guests"))
        .col(bytes(backend, "frozen"))
        .col(optional_bytes(backend, "guest_details"))
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
        // The last defence against overselling: the database refuses it, whatever a program does.
        .check(Expr::col("taken").gte(0))
        .check(Expr::col("taken").lte(Expr::col("capacity")))
        .to_owned()
}
