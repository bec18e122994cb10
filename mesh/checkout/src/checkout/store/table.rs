//! The columns of a case's lifecycle, for the entity of a context's table of cases.

pub use mesh_store::store::prelude::*;

pub use crate::checkout::payments::{MAX_ACTION_URI_CHARS, MAX_LABEL_CHARS, MAX_REASON_CHARS};

/// Declares the entity of a context's table of cases, in a module of its own: the table's name, then the context's own columns as fields
/// of a struct. The id and the lifecycle's columns come before them; [`Record`](crate::checkout::Record) says what they hold.
///
/// ```
/// mod purchase {
///     mesh_checkout::case_table! {
///         "purchase" {
///             /// How often the thing was handed over: once, or not yet.
///             pub handed_over: i32,
///         }
///     }
/// }
/// ```
///
/// A struct cannot be part of an entity, so this is a macro. A column more in it changes the tables of all contexts with cases, and each
/// of them needs a step that adds the column.
#[macro_export]
macro_rules! case_table {
    ($table:tt { $($own:tt)* }) => {
        use $crate::checkout::store::table::*;

        /// One case.
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
        #[sea_orm(table_name = $table)]
        #[allow(missing_docs, reason = "see mesh::checkout::Record")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
            pub version: i64,
            #[sea_orm(column_type = "String(StringLen::N(20))")]
            pub state: String,
            pub all_or_nothing: bool,
            pub attempt: i32,
            pub attempt_open: bool,
            pub calls: i32,
            pub paid: bool,
            pub cancel_asked: bool,
            #[sea_orm(column_type = "String(StringLen::N(160))")]
            pub correlation_id: String,
            #[sea_orm(column_type = "String(StringLen::N(80))")]
            pub payer: String,
            #[sea_orm(column_type = "String(StringLen::N(80))")]
            pub payee: String,
            pub total_minor: i64,
            #[sea_orm(column_type = "String(StringLen::N(3))")]
            pub currency: String,
            pub refund_minor: Option<i64>,
            pub earn_time: i64,
            pub hold_expire_time: i64,
            pub next_attempt_time: Option<i64>,
            pub sweeps: i32,
            #[sea_orm(column_type = "String(StringLen::N(MAX_LABEL_CHARS))")]
            pub payment_label: Option<String>,
            pub pay_time: Option<i64>,
            #[sea_orm(column_type = "String(StringLen::N(MAX_ACTION_URI_CHARS))")]
            pub action_uri: Option<String>,
            pub action_expire_time: Option<i64>,
            #[sea_orm(column_type = "String(StringLen::N(MAX_REASON_CHARS))")]
            pub reject_reason: Option<String>,
            #[sea_orm(column_type = "String(StringLen::N(MAX_REASON_CHARS))")]
            pub refund_failure_reason: Option<String>,
            #[sea_orm(column_type = "String(StringLen::N(20))")]
            pub cancel_party: Option<String>,
            #[sea_orm(column_type = "String(StringLen::N(20))")]
            pub cancel_cause: Option<String>,
            #[sea_orm(column_type = "String(StringLen::N(200))")]
            pub cancel_reason: Option<String>,
            pub confirm_time: Option<i64>,
            pub cancel_time: Option<i64>,
            pub orphans: i64,
            #[sea_orm(column_type = "String(StringLen::N(12))")]
            pub confirmation_code: String,
            pub create_time: i64,
            pub update_time: i64,
            $($own)*
        }
    };
}
