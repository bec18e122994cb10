//! Entities of the bus's own file.

/// The stream: every message ever published, in the order of publication.
pub(super) mod message {
    use mesh_store::store::prelude::*;

    /// One message.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "message")]
    pub(crate) struct Model {
        /// Its place in the stream.
        #[sea_orm(primary_key)]
        pub seq: i64,
        /// The event's key; unique.
        #[sea_orm(unique)]
        pub id: Uuid,
        /// Where it was published.
        #[sea_orm(column_type = "Text")]
        pub route: String,
        /// Its headers: a JSON array of pairs.
        #[sea_orm(column_type = "Text")]
        pub headers: String,
        /// Its body.
        pub data: Vec<u8>,
        /// When it was published.
        pub publish_time: i64,
    }
}

/// The consumers and their places.
pub(super) mod consumer {
    use mesh_store::store::prelude::*;

    /// One durable consumer.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "consumer")]
    pub(crate) struct Model {
        /// Its name.
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub name: String,
        /// Its filters: a JSON array of route patterns.
        #[sea_orm(column_type = "Text")]
        pub filters: String,
        /// Every message before this place has been delivered at least once, or does not match the filters.
        pub next_seq: i64,
    }
}

/// Delivered, not acknowledged.
pub(super) mod pending {
    use mesh_store::store::prelude::*;

    /// One message that one consumer has been given.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "pending")]
    pub(crate) struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub consumer: String,
        /// The message.
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        /// How often it has been delivered.
        pub deliveries: i64,
        /// When it is delivered again.
        pub due_time: i64,
    }
}

/// Dead letters.
pub(super) mod dead_letter {
    use mesh_store::store::prelude::*;

    /// One message that one consumer could not handle.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "dead_letter")]
    pub(crate) struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
        pub consumer: String,
        /// The message.
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        /// Why.
        #[sea_orm(column_type = "Text")]
        pub reason: String,
        /// How often it had been delivered.
        pub deliveries: i64,
        /// When it became a dead letter.
        pub bury_time: i64,
    }
}
