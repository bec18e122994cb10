//! Entities of the bus's own file.

/// The stream: every message ever published, in the order of publication.
pub mod message {
    use sea_orm::entity::prelude::*;

    /// One message.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "message")]
    pub struct Model {
        /// Its place in the stream.
        #[sea_orm(primary_key)]
        pub seq: i64,
        /// The event's key; unique.
        pub id: Uuid,
        /// Where it was published.
        pub route: String,
        /// Its headers: a JSON array of pairs.
        pub headers: String,
        /// Its body.
        #[sea_orm(column_type = "VarBinary(StringLen::None)")]
        pub data: Vec<u8>,
        /// When it was published.
        pub publish_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The consumers and their places.
pub mod consumer {
    use sea_orm::entity::prelude::*;

    /// One durable consumer.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "consumer")]
    pub struct Model {
        /// Its name.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// Its filters: a JSON array of route patterns.
        pub filters: String,
        /// Every message before this place has been delivered at least once, or does not match the filters.
        pub next_seq: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Delivered, not acknowledged.
pub mod pending {
    use sea_orm::entity::prelude::*;

    /// One message that one consumer has been given.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pending")]
    pub struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        /// The message.
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        /// How often it has been delivered.
        pub deliveries: i64,
        /// When it is delivered again.
        pub due_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Dead letters.
pub mod dead_letter {
    use sea_orm::entity::prelude::*;

    /// One message that one consumer could not handle.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "dead_letter")]
    pub struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false)]
        pub consumer: String,
        /// The message.
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        /// Why.
        pub reason: String,
        /// How often it had been delivered.
        pub deliveries: i64,
        /// When it became a dead letter.
        pub bury_time: i64,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
