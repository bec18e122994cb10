//! The tables, step by step.

use mesh::store::{Schema, Tables, index, table_of};

use super::entity::{charge, charge_refund, movement};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0001_provider_tables",
    tables: &[table_of::<charge::Entity>, table_of::<charge_refund::Entity>, table_of::<movement::Entity>],
    indices: &[
        index("charge_due", "charge", &["due_time"]),
        index("charge_create_time", "charge", &["create_time"]),
        index("charge_refund_due", "charge_refund", &["due_time"]),
    ],
};
