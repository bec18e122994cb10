//! Entities of the context's own tables.

/// Rooms, deleted ones too.
pub mod room {
    use mesh::store::prelude::*;

    /// One room.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        /// Its id: UUIDv7, so ordered by age.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// Its host.
        #[sea_orm(column_type = "String(StringLen::N(120))")]
        pub host: String,
        /// Its version.
        pub version: i64,
        /// The number on the door.
        #[sea_orm(column_type = "String(StringLen::N(16))")]
        pub number: String,
        /// Its one spelling, while the room is active and has one; unique with `host`.
        #[sea_orm(column_type = "String(StringLen::N(16))")]
        pub active_number: Option<String>,
        /// What it is called.
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub display_name: String,
        /// What it is like.
        #[sea_orm(column_type = "String(StringLen::N(2_000))")]
        pub description: String,
        /// Units.
        pub units: i32,
        /// Guests per unit.
        pub capacity: i32,
        /// Square metres.
        pub size_square_meters: Option<i32>,
        /// Words with a comma before, between and after, as in `,wifi,sea_view,`; empty if there are none.
        #[sea_orm(column_type = "String(StringLen::N(1_651))")]
        pub amenities: String,
        /// The rate in minor units.
        pub rate_minor: i64,
        /// The rate's currency.
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        /// Where it is, in words.
        #[sea_orm(column_type = "String(StringLen::N(120))")]
        pub place: String,
        /// The same, folded: what a search looks into.
        #[sea_orm(column_type = "String(StringLen::N(360))")]
        pub place_folded: String,
        /// Where it is on the map, in degrees.
        pub latitude: Option<f64>,
        /// Where it is on the map, in degrees.
        pub longitude: Option<f64>,
        /// The same on a unit sphere: what a search computes with.
        pub x: Option<f64>,
        /// The same on a unit sphere.
        pub y: Option<f64>,
        /// The same on a unit sphere.
        pub z: Option<f64>,
        /// IANA name.
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        pub time_zone: String,
        /// `HH:MM`.
        #[sea_orm(column_type = "String(StringLen::N(5))")]
        pub check_in_time: String,
        /// `HH:MM`.
        #[sea_orm(column_type = "String(StringLen::N(5))")]
        pub check_out_time: String,
        /// `hours:percent` of each tier, with a comma between.
        #[sea_orm(column_type = "String(StringLen::N(60))")]
        pub cancellation_policy: String,
        /// The rating; -1 without one, because the engines disagree on where an absent value sorts.
        pub rating: f64,
        /// When it was registered.
        pub create_time: i64,
        /// When it last changed.
        pub update_time: i64,
        /// When it was deleted.
        pub delete_time: Option<i64>,
    }
}

/// Units that hosts keep back.
pub mod blocked_night {
    use mesh::store::prelude::*;

    /// One night of one room.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "blocked_night")]
    pub struct Model {
        /// The room.
        #[sea_orm(primary_key, auto_increment = false)]
        pub room: Uuid,
        /// The date on which the night begins, as `2027-05-01`.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(10))")]
        pub night: String,
        /// The units kept back: 1 or more.
        pub units: i32,
    }
}

/// Stays, as reservation has told of them.
pub mod stay {
    use mesh::store::prelude::*;

    /// One reservation's stay, as of the newest version heard of.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "stay")]
    pub struct Model {
        /// The reservation.
        #[sea_orm(primary_key, auto_increment = false)]
        pub reservation: Uuid,
        /// The room.
        pub room: Uuid,
        /// The date on which the first night begins.
        #[sea_orm(column_type = "String(StringLen::N(10))")]
        pub check_in: String,
        /// The date on which the last night ends.
        #[sea_orm(column_type = "String(StringLen::N(10))")]
        pub check_out: String,
        /// Units on each night.
        pub units: i32,
        /// `HELD`, `CHARGED` or `RELEASED`.
        #[sea_orm(column_type = "String(StringLen::N(10))")]
        pub occupancy: String,
        /// The reservation's version.
        pub version: i64,
    }
}
