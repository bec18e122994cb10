//! Intents: what a context is about to ask another one to hold for a case that does not exist yet (rule H).

use jiff::Timestamp;
use mesh_foundation::error::Error;
use mesh_store::{
    db::Step,
    store::{TableIndex, index, prelude::*},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};

/// One intent. Whoever deletes it decides what becomes of the hold.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, DeriveActiveModelBehavior)]
#[sea_orm(table_name = "intent")]
pub struct Model {
    /// The case that it is for.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(120))")]
    pub case_name: String,
    /// The hold that is asked for, by its resource name.
    #[sea_orm(column_type = "String(StringLen::N(200))")]
    pub hold: String,
    /// The business case.
    #[sea_orm(column_type = "String(StringLen::N(160))")]
    pub correlation_id: String,
    /// When nobody waits for the hold any more.
    pub ask_until: i64,
}

/// The index by which the sweeper finds intents that nobody waits for.
pub const DUE: TableIndex = index("intent_due", "intent", &["ask_until"]);

/// Adds an intent, unless it is there.
pub(in crate::checkout) fn insert(intent: &Model) -> Step {
    Step::insert_new(ActiveModel {
        case_name: Set(intent.case_name.clone()),
        hold: Set(intent.hold.clone()),
        correlation_id: Set(intent.correlation_id.clone()),
        ask_until: Set(intent.ask_until),
    })
}

/// Deletes an intent. It touches no row if somebody else has decided.
pub(in crate::checkout) fn delete(case: &str) -> Step {
    Entity::delete_many().filter(Column::CaseName.eq(case)).into()
}

/// The intent for a case.
pub(in crate::checkout) async fn find(on: &impl ConnectionTrait, case: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find_by_id(case.to_owned()).one(on).await?)
}

/// Whether an intent is there.
pub(in crate::checkout) async fn is_there(on: &impl ConnectionTrait, case: &str) -> Result<bool, Error> {
    Ok(find(on, case).await?.is_some())
}

/// Up to `limit` intents that nobody waits for any more, the oldest first.
pub(in crate::checkout) async fn due(
    on: &impl ConnectionTrait,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Model>, Error> {
    let due = Entity::find().filter(Column::AskUntil.lt(now.as_microsecond()));
    Ok(due.order_by_asc(Column::AskUntil).limit(limit).all(on).await?)
}

/// Up to `limit` intents in the order of their cases, from above `after` on: for the audit.
pub async fn page(on: &impl ConnectionTrait, after: Option<&str>, limit: u64) -> Result<Vec<Model>, Error> {
    let mut query = Entity::find().order_by_asc(Column::CaseName).limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::CaseName.gt(after));
    }
    Ok(query.all(on).await?)
}
