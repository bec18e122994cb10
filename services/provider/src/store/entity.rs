//! The rows. What a column means stands on the field of the domain that it holds.

/// Charges.
pub mod charge {
    use sea_orm::entity::prelude::*;

    /// One charge.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "charge")]
    #[allow(missing_docs, reason = "see domain::charge::Charge")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub currency: String,
        pub amount_minor: i64,
        pub committed_minor: i64,
        pub refunded_minor: i64,
        pub state: String,
        pub plan: String,
        pub refund_plan: String,
        pub decline_reason: String,
        pub due_time: Option<i64>,
        pub create_time: i64,
        pub revision: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Refunds.
pub mod charge_refund {
    use sea_orm::entity::prelude::*;

    /// One refund.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "charge_refund")]
    #[allow(missing_docs, reason = "see domain::charge::Refund")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub charge_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub currency: String,
        pub amount_minor: i64,
        pub state: String,
        pub failure_reason: String,
        pub due_time: Option<i64>,
        pub create_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Money that moved: a row for each time, added and never changed.
pub mod movement {
    use sea_orm::entity::prelude::*;

    /// Money that moved once.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "movement")]
    pub struct Model {
        /// UUIDv7, so ordered by time.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The charge.
        pub charge_id: String,
        /// Which way it went.
        pub direction: String,
        /// The currency.
        pub currency: String,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// When.
        pub move_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
