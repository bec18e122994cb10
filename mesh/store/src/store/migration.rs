//! The first step: all of `mesh`'s tables.

use super::{
    Tables,
    entity::{failure, inbox, incarnation, outbox, place, request, task_report},
    index, table_of, unique_index,
};

pub(super) const TABLES: Tables = Tables {
    name: "m0001_mesh_tables",
    tables: &[
        table_of::<outbox::Entity>,
        table_of::<inbox::Entity>,
        table_of::<place::Entity>,
        table_of::<failure::Entity>,
        table_of::<incarnation::Entity>,
        table_of::<request::Entity>,
        table_of::<task_report::Entity>,
    ],
    indices: &[
        unique_index("outbox_subject_sequence", "outbox", &["subject", "sequence"]),
        index("outbox_unpublished", "outbox", &["publish_time", "id"]),
        index("outbox_stream_position", "outbox", &["stream_position"]),
        index("inbox_handle_time", "inbox", &["handle_time"]),
        index("request_case", "request", &["case_name"]),
        index("request_create_time", "request", &["create_time"]),
    ],
};
