//! Entities of the context's own tables.

/// Rooms, deleted ones too.
pub mod room {
    use sea_orm::entity::prelude::*;

    /// One room.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        /// Its id: UUIDv7, so ordered by age.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// Its host.
        pub host: String,
        /// Its version.
        pub version: i64,
        /// The number on the door.
        pub number: String,
        /// Its one spelling, while the room is active and has one; unique with `host`.
        pub active_number: Option<String>,
        /// What it is called.
        pub display_name: String,
        /// What it is like.
        pub description: String,
        /// Units.
        pub units: i32,
        /// Guests per unit.
        pub capacity: i32,
        /// Square metres.
        pub size_square_meters: Option<i32>,
        /// Words with a comma before, between and after, as in `,wifi,sea_view,`; empty if there are none.
        pub amenities: String,
        /// The rate in minor units.
        pub rate_minor: i64,
        /// The rate's currency.
        pub currency: String,
        /// Where it is, in words.
        pub place: String,
        /// The same, folded: what a search looks into.
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
        pub time_zone: String,
        /// `HH:MM`.
        pub check_in_time: String,
        /// `HH:MM`.
        pub check_out_time: String,
        /// `hours:percent` of each tier, with a comma between.
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

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Units that hosts keep back.
pub mod blocked_night {
    use sea_orm::entity::prelude::*;

    /// One night of one room.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "blocked_night")]
    pub struct Model {
        /// The room.
        #[sea_orm(primary_key, auto_increment = false)]
        pub room: Uuid,
        /// The date on which the night begins, as `2027-05-01`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub night: String,
        /// The units kept back: 1 or more.
        pub units: i32,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stays, as reservation has told of them.
pub mod stay {
    use sea_orm::entity::prelude::*;

    /// One reservation's stay, as of the newest version heard of.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stay")]
    pub struct Model {
        /// The reservation.
        #[sea_orm(primary_key, auto_increment = false)]
        pub reservation: Uuid,
        /// The room.
        pub room: Uuid,
        /// The date on which the first night begins.
        pub check_in: String,
        /// The date on which the last night ends.
        pub check_out: String,
        /// Units on each night.
        pub units: i32,
        /// `HELD`, `CHARGED` or `RELEASED`.
        pub occupancy: String,
        /// The reservation's version.
        pub version: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
