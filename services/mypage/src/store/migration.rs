//! The read model's tables, step by step.

use mesh::store::{Schema, Tables, index, table_of};

use super::entity::{booking, case, room, timeline, viewer};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(READ_MODEL)]);

const READ_MODEL: Tables = Tables {
    name: "m0101_read_model",
    tables: &[
        table_of::<case::Entity>,
        table_of::<booking::Entity>,
        table_of::<viewer::Entity>,
        table_of::<timeline::Entity>,
        table_of::<room::Entity>,
    ],
    indices: &[
        index("business_case_room", "business_case", &["room_id"]),
        index("booking_parties", "booking", &["case_id", "user_name"]),
        index("booking_newest", "booking", &["user_name", "create_time", "case_id"]),
        index("booking_changes", "booking", &["user_name", "position"]),
        index("timeline_case", "timeline", &["case_id", "occur_time", "event_id"]),
        index("room_host", "room", &["host", "create_time"]),
    ],
};
