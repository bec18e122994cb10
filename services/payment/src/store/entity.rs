//! The rows. What a column means stands on the field of the domain that it holds.

/// Payments.
pub mod payment {
    use sea_orm::entity::prelude::*;

    /// One payment.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment")]
    #[allow(missing_docs, reason = "see domain::payment::Payment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub case_name: String,
        pub payer: Option<String>,
        pub payee: Option<String>,
        pub currency: Option<String>,
        pub amount_minor: i64,
        pub earn_time: Option<i64>,
        pub refunded_minor: i64,
        pub refunding_minor: i64,
        pub owed_minor: i64,
        pub provider: String,
        pub state: String,
        pub calls: i32,
        pub call_time: Option<i64>,
        pub decline_reason: Option<String>,
        pub method_kind: Option<String>,
        pub method_brand: Option<String>,
        pub method_last4: Option<String>,
        pub provider_reference: Option<String>,
        pub action_uri: Option<String>,
        pub action_expire_time: Option<i64>,
        pub approve_time: Option<i64>,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
        pub revision: i64,
        pub correlation_id: String,
        pub attempts: i32,
        pub next_attempt_time: Option<i64>,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Refunds.
pub mod refund {
    use sea_orm::entity::prelude::*;

    /// One refund.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refund")]
    #[allow(missing_docs, reason = "see domain::refund::Refund")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub payment_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub currency: String,
        pub amount_minor: i64,
        pub state: String,
        pub failure_reason: Option<String>,
        pub correlation_id: String,
        pub causation_id: Option<String>,
        pub actor: String,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
        pub attempts: i32,
        pub next_attempt_time: Option<i64>,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The ledger: rows are added and never changed.
pub mod ledger_entry {
    use sea_orm::entity::prelude::*;

    /// One line.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_entry")]
    #[allow(missing_docs, reason = "see domain::ledger::Entry")]
    pub struct Model {
        /// UUIDv7, so ordered by time.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The same for all entries of one movement.
        pub transaction_id: Uuid,
        pub payment_id: Uuid,
        pub account: String,
        pub side: String,
        pub currency: String,
        pub amount_minor: i64,
        pub earn_time: Option<i64>,
        pub create_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
