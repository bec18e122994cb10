//! A migration step that recomputes the columns by which rooms are compared.
//!
//! Earlier versions folded a place to lower case only, did not fold a room's number, and used the host's table of time zones.

use mesh::{
    clock,
    store::{MigrationTrait, SchemaManager},
    unicode,
};
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, Order,
    sea_query::{Expr, ExprTrait, Query},
};
use uuid::Uuid;

use crate::domain::{MAX_FOLDED_PLACE_CHARS, MAX_NUMBER_CHARS};

/// Rooms that are read at once.
const BATCH: u64 = 500;

/// The step. If it is interrupted, it continues with the remaining rows.
pub(super) struct Spellings;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    host: String,
    active_number: Option<String>,
    place: String,
    place_folded: String,
    time_zone: String,
}

#[async_trait::async_trait]
impl MigrationTrait for Spellings {
    fn name(&self) -> &str {
        "m0102_room_spellings"
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let mut last = None;
        loop {
            let mut select = Query::select();
            select
                .columns(["id", "host", "active_number", "place", "place_folded", "time_zone"])
                .from("room")
                .and_where_option(last.map(|last: Uuid| Expr::col("id").gt(last)))
                .order_by("id", Order::Asc)
                .limit(BATCH);
            let rows = connection.query_all(&select).await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = Some(end.try_get("", "id")?);
            for row in rows {
                rewrite(connection, Row::from_query_result(&row, "")?).await?;
            }
        }
    }
}

async fn rewrite(connection: &impl ConnectionTrait, row: Row) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table("room").and_where(Expr::col("id").eq(row.id));
    let folded: String = unicode::folded(&row.place).chars().take(MAX_FOLDED_PLACE_CHARS).collect();
    if folded != row.place_folded {
        update.value("place_folded", folded);
    }
    if let Some(number) = row.active_number {
        let spelled = unicode::canonical(&number);
        // If two rooms turn out to have the same number, the first one gets the new form and the other stays as it is.
        let is_free = spelled.chars().count() <= MAX_NUMBER_CHARS && !is_taken(connection, &row.host, &spelled).await?;
        if spelled != number && is_free {
            update.value("active_number", Some(spelled).filter(|spelled| !spelled.is_empty()));
        }
    }
    // For zones that only the host's table knew: other contexts use UTC for unknown zones.
    if clock::zone(&row.time_zone).is_none() {
        update.value("time_zone", "UTC");
    }
    if !update.get_values().is_empty() {
        connection.execute(&update).await?;
    }
    Ok(())
}

async fn is_taken(connection: &impl ConnectionTrait, host: &str, number: &str) -> Result<bool, DbErr> {
    let mut select = Query::select();
    select
        .column("id")
        .from("room")
        .and_where(Expr::col("host").eq(host))
        .and_where(Expr::col("active_number").eq(number));
    Ok(connection.query_one(&select).await?.is_some())
}
