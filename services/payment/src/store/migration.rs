//! The tables, step by step.

use mesh::{
    checkout::payments::{MAX_ACTION_URI_CHARS, MAX_REASON_CHARS},
    store::{Schema, TableIndex, Tables, id, index, instant, key, large, number, optional_instant, optional_key},
};
use sea_orm::{
    DbBackend,
    sea_query::{Index, Table, TableCreateStatement},
};

/// The steps to the context's tables.
pub const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables { name: "m0001_payment_tables", tables, indices: &INDICES };

const INDICES: [TableIndex; 7] = [
    index("payment_payer", "payment", &["payer", "create_time"]),
    index("payment_payee", "payment", &["payee", "create_time"]),
    index("payment_case", "payment", &["case_name", "create_time"]),
    index("payment_due", "payment", &["next_attempt_time"]),
    index("refund_due", "refund", &["next_attempt_time"]),
    index("ledger_entry_payment", "ledger_entry", &["payment_id"]),
    index("ledger_entry_account", "ledger_entry", &["account"]),
];

fn tables(backend: DbBackend) -> Vec<TableCreateStatement> {
    vec![payment(backend), refund(backend), ledger_entry(backend)]
}

fn payment(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("payment")
        .col(id("id").primary_key())
        .col(key(backend, "case_name", 120))
        .col(optional_key(backend, "payer", 80))
        .col(optional_key(backend, "payee", 80))
        .col(optional_key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(optional_instant("earn_time"))
        .col(large("refunded_minor"))
        .col(large("refunding_minor"))
        .col(large("owed_minor"))
        .col(key(backend, "provider", 32))
        .col(key(backend, "state", 20))
        .col(number("calls"))
        .col(optional_instant("call_time"))
        .col(optional_key(backend, "decline_reason", MAX_REASON_CHARS))
        .col(optional_key(backend, "method_kind", 32))
        .col(optional_key(backend, "method_brand", 32))
        .col(optional_key(backend, "method_last4", 4))
        .col(optional_key(backend, "provider_reference", 128))
        .col(optional_key(backend, "action_uri", MAX_ACTION_URI_CHARS))
        .col(optional_instant("action_expire_time"))
        .col(optional_instant("approve_time"))
        .col(instant("create_time"))
        .col(instant("update_time"))
        .col(large("version"))
        .col(large("revision"))
        .col(key(backend, "correlation_id", 160))
        .col(number("attempts"))
        .col(optional_instant("next_attempt_time"))
        .to_owned()
}

fn refund(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("refund")
        .col(id("payment_id"))
        .col(id("id"))
        .col(key(backend, "kind", 20))
        .col(key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(key(backend, "state", 20))
        .col(optional_key(backend, "failure_reason", MAX_REASON_CHARS))
        .col(key(backend, "correlation_id", 160))
        .col(optional_key(backend, "causation_id", 64))
        .col(key(backend, "actor", 160))
        .col(instant("create_time"))
        .col(instant("update_time"))
        .col(large("version"))
        .col(number("attempts"))
        .col(optional_instant("next_attempt_time"))
        .primary_key(Index::create().col("payment_id").col("id"))
        .to_owned()
}

fn ledger_entry(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("ledger_entry")
        .col(id("id").primary_key())
        .col(id("transaction_id"))
        .col(id("payment_id"))
        .col(key(backend, "account", 96))
        .col(key(backend, "side", 8))
        .col(key(backend, "currency", 3))
        .col(large("amount_minor"))
        .col(optional_instant("earn_time"))
        .col(instant("create_time"))
        .to_owned()
}
