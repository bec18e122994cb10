//! The rows. What a column means stands on the field of the domain that it holds.

/// Charges.
pub mod charge {
    use mesh::store::prelude::*;

    /// One charge.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "charge")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
        pub id: String,
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        pub amount_minor: i64,
        pub committed_minor: i64,
        pub refunded_minor: i64,
        #[sea_orm(column_type = "String(StringLen::N(20))")]
        pub state: String,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub plan: String,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub refund_plan: String,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub decline_reason: String,
        pub due_time: Option<i64>,
        pub create_time: i64,
        pub revision: i64,
    }
}

/// Refunds.
pub mod charge_refund {
    use mesh::store::prelude::*;

    /// One refund.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "charge_refund")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
        pub charge_id: String,
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
        pub id: String,
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        pub amount_minor: i64,
        #[sea_orm(column_type = "String(StringLen::N(20))")]
        pub state: String,
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub failure_reason: String,
        pub due_time: Option<i64>,
        pub create_time: i64,
    }
}

/// Money that moved: a row for each time, added and never changed.
pub mod movement {
    use mesh::store::prelude::*;

    /// Money that moved once.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "movement")]
    pub struct Model {
        /// UUIDv7, so ordered by time.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The charge.
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        pub charge_id: String,
        /// Which way it went.
        #[sea_orm(column_type = "String(StringLen::N(16))")]
        pub direction: String,
        /// The currency.
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// When.
        pub move_time: i64,
    }
}
