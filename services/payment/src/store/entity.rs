//! The rows. What a column means stands on the field of the domain that it holds.

/// Payments.
pub mod payment {
    use mesh::{
        checkout::payments::{MAX_ACTION_URI_CHARS, MAX_REASON_CHARS},
        store::prelude::*,
    };

    /// One payment.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "payment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(column_type = "String(StringLen::N(120))")]
        pub case_name: String,
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub payer: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub payee: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: Option<String>,
        pub amount_minor: i64,
        pub earn_time: Option<i64>,
        pub refunded_minor: i64,
        pub refunding_minor: i64,
        pub owed_minor: i64,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub provider: String,
        #[sea_orm(column_type = "String(StringLen::N(20))")]
        pub state: String,
        pub calls: i32,
        pub call_time: Option<i64>,
        #[sea_orm(column_type = "String(StringLen::N(MAX_REASON_CHARS))")]
        pub decline_reason: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub method_kind: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub method_brand: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(4))")]
        pub method_last4: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(128))")]
        pub provider_reference: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(MAX_ACTION_URI_CHARS))")]
        pub action_uri: Option<String>,
        pub action_expire_time: Option<i64>,
        pub approve_time: Option<i64>,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
        pub revision: i64,
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub correlation_id: String,
        pub attempts: i32,
        pub next_attempt_time: Option<i64>,
    }
}

/// Refunds.
pub mod refund {
    use mesh::{checkout::payments::MAX_REASON_CHARS, store::prelude::*};

    /// One refund.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "refund")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub payment_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(column_type = "String(StringLen::N(20))")]
        pub kind: String,
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        pub amount_minor: i64,
        #[sea_orm(column_type = "String(StringLen::N(20))")]
        pub state: String,
        #[sea_orm(column_type = "String(StringLen::N(MAX_REASON_CHARS))")]
        pub failure_reason: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub correlation_id: String,
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        pub causation_id: Option<String>,
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub actor: String,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
        pub attempts: i32,
        pub next_attempt_time: Option<i64>,
    }
}

/// The ledger: rows are added and never changed.
pub mod ledger_entry {
    use mesh::store::prelude::*;

    /// One line.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "ledger_entry")]
    pub struct Model {
        /// UUIDv7, so ordered by time.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The same for all entries of one movement.
        pub transaction_id: Uuid,
        pub payment_id: Uuid,
        #[sea_orm(column_type = "String(StringLen::N(96))")]
        pub account: String,
        #[sea_orm(column_type = "String(StringLen::N(8))")]
        pub side: String,
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        pub amount_minor: i64,
        pub earn_time: Option<i64>,
        pub create_time: i64,
    }
}
