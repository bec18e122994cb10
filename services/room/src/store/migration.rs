//! The steps to the context's tables.

use super::spellings::Spellings;
use mesh::store::{
    Schema, TableIndex, Tables, id, index, instant, key, large, number, optional_instant, optional_key,
    optional_number, optional_real, real, unique_index,
};
use sea_orm::{
    DbBackend,
    sea_query::{Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES), Box::new(Spellings)]);

const TABLES: Tables = Tables { name: "m0101_room_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 6] = [
    unique_index("room_host_active_number", "room", &["host", "active_number"]),
    index("room_host", "room", &["host", "id"]),
    // One for each order of a search; active rooms are those without a delete_time.
    index("room_price", "room", &["delete_time", "currency", "rate_minor", "id"]),
    index("room_rating", "room", &["delete_time", "rating", "id"]),
    index("room_latitude", "room", &["delete_time", "z"]),
    index("stay_room_check_out", "stay", &["room", "check_out"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![room(backend), blocked_night(backend), stay(backend)]
}

fn room(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("room")
        .col(id("id").primary_key())
        .col(key(backend, "host", 120))
        .col(large("version"))
        .col(key(backend, "number", 16))
        .col(optional_key(backend, "active_number", 16))
        .col(key(backend, "display_name", 80))
        .col(key(backend, "description", 2_000))
        .col(number("units"))
        .col(number("capacity"))
        .col(optional_number("size_square_meters"))
        // 50 words of 32 letters, and the commas.
        .col(key(backend, "amenities", 1_651))
        .col(large("rate_minor"))
        .col(key(backend, "currency", 3))
        .col(key(backend, "place", 120))
        .col(key(backend, "place_folded", 360))
        .col(optional_real("latitude"))
        .col(optional_real("longitude"))
        .col(optional_real("x"))
        .col(optional_real("y"))
        .col(optional_real("z"))
        .col(key(backend, "time_zone", 64))
        .col(key(backend, "check_in_time", 5))
        .col(key(backend, "check_out_time", 5))
        .col(key(backend, "cancellation_policy", 60))
        .col(real("rating"))
        .col(instant("create_time"))
        .col(instant("update_time"))
        .col(optional_instant("delete_time"))
        .to_owned()
}

fn blocked_night(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("blocked_night")
        .col(id("room"))
        .col(key(backend, "night", 10))
        .col(number("units"))
        .primary_key(Index::create().col("room").col("night"))
        .to_owned()
}

fn stay(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("stay")
        .col(id("reservation").primary_key())
        .col(id("room"))
        .col(key(backend, "check_in", 10))
        .col(key(backend, "check_out", 10))
        .col(number("units"))
        .col(key(backend, "occupancy", 10))
        .col(large("version"))
        .to_owned()
}
