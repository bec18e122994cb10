//! The tables of the read model.

/// A business case as far as it has been heard of: one half told by its owner, the other by payment, each with a version of its own.
/// Either half may come first: what the other one will tell has a default until then. Version 0: only payment has spoken so far, and nobody
/// is shown the case yet. The row is also what events of one case queue at.
pub mod case {
    use mesh::store::prelude::*;

    /// One case.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "business_case")]
    pub struct Model {
        /// The id in the case's name.
        #[sea_orm(primary_key, auto_increment = false)]
        pub case_id: Uuid,
        /// `Booking.Kind` by name.
        #[sea_orm(column_type = "String(StringLen::N(16))", default_value = "")]
        pub kind: String,
        /// The owner's version.
        #[sea_orm(default_value = 0)]
        pub version: i64,
        /// What the case's calls, events and log lines share.
        #[sea_orm(column_type = "String(StringLen::N(160))", default_value = "")]
        pub correlation_id: String,
        /// The room of a stay.
        pub room_id: Option<Uuid>,
        /// What it is about, for people.
        #[sea_orm(column_type = "String(StringLen::N(80))", default_value = "")]
        pub title: String,
        /// The owner's word.
        #[sea_orm(column_type = "String(StringLen::N(32))", default_value = "")]
        pub state: String,
        /// [`Course`](crate::course::Course) by name.
        #[sea_orm(column_type = "String(StringLen::N(16))", default_value = "")]
        pub course: String,
        /// The first day, ISO.
        #[sea_orm(column_type = "String(StringLen::N(10))", default_value = "")]
        pub start_date: String,
        /// The last day, ISO.
        #[sea_orm(column_type = "String(StringLen::N(10))", default_value = "")]
        pub end_date: String,
        /// When the last day is over.
        #[sea_orm(default_value = 0)]
        pub end_time: i64,
        /// What it costs, in minor units.
        #[sea_orm(default_value = 0)]
        pub total_minor: i64,
        /// ISO 4217; of the refund as well.
        #[sea_orm(column_type = "String(StringLen::N(3))", default_value = "")]
        pub currency: String,
        /// What the owner tells and nobody looks for: a `Booking` that holds only its details, how it was paid and its cancellation.
        pub details: Option<Vec<u8>>,
        /// When the owner's change came about.
        #[sea_orm(default_value = 0)]
        pub source_time: i64,
        /// The latest payment.
        pub payment_id: Option<Uuid>,
        /// When that payment was asked for: what makes it the latest.
        #[sea_orm(default_value = 0)]
        pub payment_create_time: i64,
        /// That payment's version.
        #[sea_orm(default_value = 0)]
        pub payment_version: i64,
        /// Payment's word.
        #[sea_orm(column_type = "String(StringLen::N(32))", default_value = "")]
        pub payment_state: String,
        /// What is given back of that payment, in minor units.
        #[sea_orm(default_value = 0)]
        pub refunded_minor: i64,
        /// When payment's change came about.
        #[sea_orm(default_value = 0)]
        pub payment_source_time: i64,
    }
}

/// A case as one of its parties sees it.
pub mod booking {
    use mesh::store::prelude::*;

    /// One party's.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "booking")]
    pub struct Model {
        /// The party: `users/…`.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(80))")]
        pub user_name: String,
        /// The case.
        #[sea_orm(primary_key, auto_increment = false)]
        pub case_id: Uuid,
        /// Whether the party booked it.
        pub is_guest: bool,
        /// Whether the party provides it.
        pub is_host: bool,
        /// The other party: `users/…`.
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub counterparty: String,
        /// When the case was created.
        pub create_time: i64,
        /// Where its last change stands among the changes that this party is told.
        pub position: i64,
        /// When it was last changed here.
        pub update_time: i64,
    }

    /// Each booking is of one case.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        /// The case.
        #[sea_orm(belongs_to = "super::case::Entity", from = "Column::CaseId", to = "super::case::Column::CaseId")]
        Case,
    }

    impl Related<super::case::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Case.def()
        }
    }
}

/// How many changes a user has been told. A change takes its position from here and holds the row until it commits, so that changes
/// become visible in the order of their positions.
pub mod viewer {
    use mesh::store::prelude::*;

    /// One user.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "viewer")]
    pub struct Model {
        /// `users/…`.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(80))")]
        pub user_name: String,
        /// The position of the last change.
        pub position: i64,
    }
}

/// Every event heard.
pub mod timeline {
    use mesh::store::prelude::*;

    /// One event.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "timeline")]
    pub struct Model {
        /// The event's id. Unique with `kind`, which begins with the context: others can say something of their own under the same id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        /// The case that it belongs to; none for a room's, which are kept because they may be a cause.
        pub case_id: Option<Uuid>,
        /// The resource that it is about.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub subject: String,
        /// The resource's version after it.
        pub sequence: i64,
        /// When it happened.
        pub occur_time: i64,
        /// The full name of the event.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(160))")]
        pub kind: String,
        /// Who brought it about.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub actor: String,
        /// The event that led to it.
        pub causation_id: Option<Uuid>,
        /// The resource's state after it, in its owner's word.
        #[sea_orm(column_type = "String(StringLen::N(32))")]
        pub state: String,
    }
}

/// Rooms as their hosts' pages show them; deleted ones are kept, so that an older event brings none back.
pub mod room {
    use mesh::store::prelude::*;

    /// One room.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        /// The id in the room's name.
        #[sea_orm(primary_key, auto_increment = false)]
        pub room_id: Uuid,
        /// `users/…`.
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub host: String,
        /// The number on the door.
        #[sea_orm(column_type = "String(StringLen::N(16))")]
        pub number: String,
        /// What it is called.
        #[sea_orm(column_type = "String(StringLen::N(80))")]
        pub display_name: String,
        /// The price of a night, in minor units.
        pub rate_minor: i64,
        /// ISO 4217.
        #[sea_orm(column_type = "String(StringLen::N(3))")]
        pub currency: String,
        /// How many there are.
        pub units: i32,
        /// Whether it was deleted.
        pub deleted: bool,
        /// The version of the room.
        pub version: i64,
        /// When it was registered.
        pub create_time: i64,
        /// When the change came about.
        pub source_time: i64,
    }
}
