//! Purges expired rows, a bounded number in each transaction: at the start, and then periodically.

use std::time::Duration;

use jiff::Timestamp;
use mesh_foundation::{
    background::Background,
    clock::Clock,
    driver::{Task, Turn},
    error::Error,
};

use crate::{db::Database, inbox, requests};

/// How long inbox rows are kept. A bus does not redeliver acknowledged events; the rows are for streams that are filled again. Older
/// events are harmless, because their versions are.
const REMEMBER_EVENTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often expired rows are purged.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Starts the task that keeps the inbox and the request records of `context` from growing for ever.
pub fn start(context: &'static str, database: Database, background: &Background, clock: Clock) {
    Task::new(context, "housekeeping", EVERY).start(background, move || {
        let (database, now) = (database.clone(), clock.now());
        async move { forget(&database, now).await }
    });
}

/// Purges a bounded number of rows of each kind.
async fn forget(database: &Database, now: Timestamp) -> Result<Turn, Error> {
    let before = |kept: Duration| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
    let (events, answers) = (before(REMEMBER_EVENTS), before(requests::KEPT_FOR));
    let events = database.transact("forget_events", |tx| async move { inbox::forget(&tx, events).await }).await?;
    let answers =
        database.transact("forget_requests", |tx| async move { requests::forget(&tx, answers).await }).await?;
    Ok(if events + answers > 0 { Turn::More } else { Turn::Idle })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use mesh_testing::eventually;
    use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};
    use uuid::Uuid;

    use super::*;
    use crate::{store::entity::request, testbed::Testbed};

    fn answered(id: &str, at: Timestamp, answer: Option<&[u8]>) -> request::ActiveModel {
        request::ActiveModel {
            principal: Set("users/alice".to_owned()),
            method: Set("CreateReservation".to_owned()),
            request_id: Set(id.to_owned()),
            fingerprint: Set(vec![0; 32]),
            case_name: Set(None),
            attempt: Set(0),
            answer: Set(answer.map(<[u8]>::to_vec)),
            create_time: Set(at.as_microsecond()),
        }
    }

    async fn kept(database: &Database) -> Vec<String> {
        let rows = request::Entity::find().order_by_asc(request::Column::RequestId).all(database.read()).await;
        rows.unwrap().into_iter().map(|row| row.request_id).collect()
    }

    #[tokio::test]
    async fn answers_are_kept_for_a_week_and_open_requests_until_answered() {
        let testbed = Testbed::new();
        let database = testbed.database("stay.db").await;
        let now: Timestamp = "2027-04-30T00:00:00Z".parse().unwrap();
        let week = SignedDuration::from_hours(7 * 24);
        let (old, new) = (now - week - SignedDuration::from_secs(1), now - week + SignedDuration::from_secs(1));
        database
            .transact("ask", |tx| async move {
                for at in 0..2_500_i64 {
                    let at = old - SignedDuration::from_secs(at);
                    tx.insert_new(answered(&Uuid::now_v7().to_string(), at, Some(b"\0"))).await?;
                }
                tx.insert_new(answered("new", new, Some(b"\0"))).await?;
                tx.insert_new(answered("open", old, None)).await?;
                Ok(())
            })
            .await
            .unwrap();

        let background = Background::new();
        start("stay", database.clone(), &background, Clock::manual(now));
        eventually("the rest is forgotten", async || kept(&database).await.len() == 2).await;
        assert_eq!(kept(&database).await, ["new", "open"]);
        background.drain(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn one_transaction_forgets_a_bounded_number_of_answers() {
        let testbed = Testbed::new();
        let database = testbed.database("stay.db").await;
        let old = mesh_foundation::clock::from_micros(1_400);
        database
            .transact("ask", |tx| async move {
                for at in 0..1_500_i64 {
                    let at = mesh_foundation::clock::from_micros(at);
                    tx.insert_new(answered(&Uuid::now_v7().to_string(), at, Some(b"\0"))).await?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let forget = || database.transact("forget", |tx| async move { requests::forget(&tx, old).await });
        assert_eq!([forget().await.unwrap(), forget().await.unwrap()], [1_001, 399]);
        assert_eq!(kept(&database).await.len(), 100, "what is newer");
    }
}
