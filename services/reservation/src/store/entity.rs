//! This context's tables.

/// Reservations.
pub mod reservation {
    use sea_orm::entity::prelude::*;

    /// One reservation: the columns of `mesh::checkout::store`, and from `room` on its own.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "reservation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i64,
        pub state: String,
        pub all_or_nothing: bool,
        pub attempt: i32,
        pub attempt_open: bool,
        pub calls: i32,
        pub paid: bool,
        pub cancel_asked: bool,
        pub correlation_id: String,
        pub payer: String,
        pub payee: String,
        pub total_minor: i64,
        pub currency: String,
        pub refund_minor: Option<i64>,
        pub earn_time: i64,
        pub hold_expire_time: i64,
        pub next_attempt_time: Option<i64>,
        pub sweeps: i32,
        pub payment_label: Option<String>,
        pub pay_time: Option<i64>,
        pub action_uri: Option<String>,
        pub action_expire_time: Option<i64>,
        pub reject_reason: Option<String>,
        pub refund_failure_reason: Option<String>,
        pub cancel_party: Option<String>,
        pub cancel_cause: Option<String>,
        pub cancel_reason: Option<String>,
        pub confirm_time: Option<i64>,
        pub cancel_time: Option<i64>,
        pub orphans: i64,
        pub confirmation_code: String,
        pub create_time: i64,
        pub update_time: i64,
        pub room: Uuid,
        pub check_in_date: String,
        pub check_out_date: String,
        pub units: i32,
        pub guests: i32,
        /// Room snapshot, price and policy: frozen when the reservation was made, encoded as a `Reservation` that holds only these.
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub frozen: Vec<u8>,
        /// Personal data, encoded as `GuestDetails`; leaves this table only to its guest and its host.
        #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
        pub guest_details: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rooms, as heard of.
pub mod room {
    use sea_orm::entity::prelude::*;

    /// One room in its newest version.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub version: i64,
        pub deleted: bool,
        /// Whether its deletion asks for its stays to be cancelled.
        pub cancel_stays: bool,
        pub units: i32,
        /// The room as its context last told it.
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub resource: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The allocation: what is sold of each night of each room.
pub mod night {
    use sea_orm::entity::prelude::*;

    /// One night of one room. The database holds `0 <= taken <= capacity`.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "night")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub room: Uuid,
        /// As `2027-05-01`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub night: String,
        /// What the host offers: units less blocked ones; nothing once the room is deleted.
        pub offered: i32,
        /// What can be taken: `offered`, or `taken` where more was sold than is offered now.
        pub capacity: i32,
        /// What is taken by PENDING and CONFIRMED stays.
        pub taken: i32,
        /// Units that the host keeps back.
        pub blocked: i32,
        /// The version of the room in which `blocked` was told.
        pub block_version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
