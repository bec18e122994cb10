//! The columns of a case's lifecycle, for a context's migration.

use mesh_store::store::{
    flag, id, instant, key, large, number, optional_id, optional_instant, optional_key, optional_large,
};
use sea_orm::{
    DbBackend,
    sea_query::{Table, TableCreateStatement},
};

use crate::checkout::payments::{MAX_ACTION_URI_CHARS, MAX_LABEL_CHARS, MAX_REASON_CHARS};

/// Characters of a user's name.
const USER_CHARS: u32 = 80;

/// Adds the id and the lifecycle's columns to a context's table of cases. Released migrations call this, so it stays as it is: a
/// column more is a `columns_v2`, which alters the table.
pub fn columns_v1(table: &mut TableCreateStatement, backend: DbBackend) {
    table
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
        .col(key(backend, "payer", USER_CHARS))
        .col(key(backend, "payee", USER_CHARS))
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
        .col(instant("create_time"))
        .col(instant("update_time"));
}

/// The table of those who hold ([`payer`](super::payer)).
pub fn payers_v1(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("payer")
        .col(key(backend, "name", USER_CHARS).primary_key())
        .col(optional_id("last_hold"))
        .to_owned()
}
