//! The steps to the context's tables.

use mesh::store::{Schema, Tables, index, table_of, unique_index};

use super::entity::{blocked_night, room, stay};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0101_room_tables",
    tables: &[table_of::<room::Entity>, table_of::<blocked_night::Entity>, table_of::<stay::Entity>],
    indices: &[
        unique_index("room_host_active_number", "room", &["host", "active_number"]),
        index("room_host", "room", &["host", "id"]),
        // One for each order of a search; active rooms are those without a delete_time.
        index("room_price", "room", &["delete_time", "currency", "rate_minor", "id"]),
        index("room_rating", "room", &["delete_time", "rating", "id"]),
        index("room_latitude", "room", &["delete_time", "z"]),
        index("stay_room_check_out", "stay", &["room", "check_out"]),
    ],
};
