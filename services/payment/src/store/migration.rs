//! The tables, step by step.

use mesh::store::{Schema, Tables, index, table_of};

use super::entity::{ledger_entry, payment, refund};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0001_payment_tables",
    tables: &[table_of::<payment::Entity>, table_of::<refund::Entity>, table_of::<ledger_entry::Entity>],
    indices: &[
        index("payment_payer", "payment", &["payer", "create_time"]),
        index("payment_payee", "payment", &["payee", "create_time"]),
        index("payment_case", "payment", &["case_name", "create_time"]),
        index("payment_due", "payment", &["next_attempt_time"]),
        index("refund_due", "refund", &["next_attempt_time"]),
        index("ledger_entry_payment", "ledger_entry", &["payment_id"]),
        index("ledger_entry_account", "ledger_entry", &["account"]),
    ],
};
