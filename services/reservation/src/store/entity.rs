//! This context's tables.

/// Reservations.
pub mod reservation {
    mesh::case_table! {
        "reservation" {
            pub room: Uuid,
            #[sea_orm(column_type = "String(StringLen::N(10))")]
            pub check_in_date: String,
            #[sea_orm(column_type = "String(StringLen::N(10))")]
            pub check_out_date: String,
            pub units: i32,
            pub guests: i32,
            /// Room snapshot, price and policy: frozen when the reservation was made, encoded as a `Reservation` that holds only these.
            pub frozen: Vec<u8>,
            /// Personal data, encoded as `GuestDetails`; leaves this table only to its guest and its host.
            pub guest_details: Option<Vec<u8>>,
        }
    }
}

/// Rooms, as heard of.
pub mod room {
    use mesh::store::prelude::*;

    /// One room in its newest version.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
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
        pub resource: Vec<u8>,
    }
}

/// The allocation: what is sold of each night of each room.
pub mod night {
    use mesh::store::prelude::*;

    /// One night of one room. The database holds `0 <= taken <= capacity`.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "night")]
    pub struct Model {
        /// The room.
        #[sea_orm(primary_key, auto_increment = false)]
        pub room: Uuid,
        /// As `2027-05-01`.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(10))")]
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
}
