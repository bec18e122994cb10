//! Entities of `mesh`'s own tables.

/// Events to publish, and published events: the source of truth from which any broker can be filled again.
pub mod outbox {
    use crate::store::prelude::*;

    /// One event.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        /// The event's id: UUIDv7, so ordered by time.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The resource that the event is about.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub subject: String,
        /// The resource's version after the change; unique with `subject`.
        pub sequence: i64,
        /// The message's full protobuf name.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub kind: String,
        /// Where it is published.
        #[sea_orm(column_type = "String(StringLen::N(200))")]
        pub route: String,
        /// When it happened.
        pub occur_time: i64,
        /// The business case.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub correlation_id: String,
        /// The event that caused it.
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        pub causation_id: Option<String>,
        /// Who did it.
        #[sea_orm(column_type = "String(StringLen::N(160))")]
        pub actor: String,
        /// W3C trace context.
        #[sea_orm(column_type = "String(StringLen::N(64))")]
        pub traceparent: Option<String>,
        /// The message.
        pub body: Vec<u8>,
        /// When a broker acknowledged it; absent until then.
        pub publish_time: Option<i64>,
        /// When a relay may claim it next.
        pub next_attempt_time: i64,
        /// Its position in the broker's stream; absent until it is published.
        pub stream_position: Option<i64>,
    }
}

/// Events handled, by consumer.
pub mod inbox {
    use crate::store::prelude::*;

    /// One event handled by one consumer.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "inbox")]
    pub struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
        pub consumer: String,
        /// The event's [key](mesh_foundation::event::Event::key), and not its id, which others can use.
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        /// When.
        pub handle_time: i64,
    }
}

/// The place of each consumer.
pub mod place {
    use crate::store::prelude::*;

    /// The newest event that one consumer has handled.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "place")]
    pub struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
        pub consumer: String,
        /// Where the event is in the broker's stream.
        pub position: i64,
        /// The event's [key](mesh_foundation::event::Event::key).
        pub event_id: Uuid,
    }
}

/// The failures of events that are neither handled nor dead letters yet.
pub mod failure {
    use crate::store::prelude::*;

    /// The failures of one event at one consumer.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "failure")]
    pub struct Model {
        /// The consumer.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
        pub consumer: String,
        /// The event's [key](mesh_foundation::event::Event::key), and not its id, which others can use.
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: Uuid,
        /// How often.
        pub failures: i32,
    }
}

/// The incarnation of this database, part of its consumers' names: a new database gets everything from the beginning.
pub mod incarnation {
    use crate::store::prelude::*;

    /// A value that is made with the database and never changes.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "incarnation")]
    pub struct Model {
        /// 1 for the incarnation, 2 for the secret behind page tokens.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        /// Made with the database.
        pub incarnation: Uuid,
    }
}

/// Request records: what was asked under a request id, and what was answered.
pub mod request {
    use crate::store::prelude::*;

    /// One request id of one principal.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "request")]
    pub struct Model {
        /// Who asked.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
        pub principal: String,
        /// Which RPC.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(80))")]
        pub method: String,
        /// Under which id.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
        pub request_id: String,
        /// What was asked: a SHA-256 of the request without its id.
        #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
        pub fingerprint: Vec<u8>,
        /// The case that it began, for a checkout.
        #[sea_orm(column_type = "String(StringLen::N(120))")]
        pub case_name: Option<String>,
        /// The payment attempt that it waits for, for a checkout.
        pub attempt: i32,
        /// The answer, once it is final.
        pub answer: Option<Vec<u8>>,
        /// When it was made.
        pub create_time: i64,
    }
}

/// What each process reports about its background tasks.
pub mod task_report {
    use crate::store::prelude::*;

    /// One task of one process.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "task_report")]
    pub struct Model {
        /// The process: an id that it made at its start.
        #[sea_orm(primary_key, auto_increment = false)]
        pub process: Uuid,
        /// The task's name.
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
        pub task: String,
        /// When the process started it.
        pub start_time: i64,
        /// Its longest rest between two turns, in microseconds.
        pub longest_rest: i64,
        /// When its last turn ended; absent before the first one has.
        pub turn_time: Option<i64>,
        /// How many of its last turns failed in a row.
        pub failures: i32,
        /// Why the last turn failed; absent if it did not.
        #[sea_orm(column_type = "String(StringLen::N(400))")]
        pub problem: Option<String>,
        /// When the process reported this.
        pub report_time: i64,
    }
}
