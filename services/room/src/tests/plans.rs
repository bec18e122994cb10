//! How an engine carries out a search: rooms come from an index in their order, however many there are.

use mesh::db::Engine;
use sea_orm::{ConnectionTrait, DbErr, QuerySelect, QueryTrait, Statement, TransactionTrait};

use super::Inn;
use crate::{
    search::{Order, Query},
    store,
};

/// What the engine says that it would do. PostgreSQL is not allowed to read the whole table, which is faster as long as there is nothing
/// in it.
async fn plan(inn: &Inn, order: Order) -> Result<String, DbErr> {
    let connection = inn.database.read().begin().await?;
    let backend = connection.get_database_backend();
    let select = store::search::select(&Query { order, ..anything() }, backend).limit(51).build(backend);
    let explain = match inn.database.engine() {
        Engine::Sqlite => "EXPLAIN QUERY PLAN",
        Engine::Postgres => {
            connection.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
            "EXPLAIN"
        }
        Engine::MySql => "EXPLAIN",
    };
    let explain = Statement { sql: format!("{explain} {}", select.sql), ..select };
    let rows = connection.query_all_raw(explain).await?;
    let text = |row: &sea_orm::QueryResult| match inn.database.engine() {
        Engine::Sqlite => row.try_get_by::<String, _>("detail"),
        Engine::Postgres => row.try_get_by_index(0),
        Engine::MySql => row.try_get_by("Extra"),
    };
    rows.iter().map(text).collect()
}

fn anything() -> Query {
    Query {
        nights: None,
        guests: 1,
        units: 1,
        place: String::new(),
        near: None,
        min_rate: None,
        max_rate: None,
        amenities: Vec::new(),
        min_size: None,
        order: Order::Price { after: None },
    }
}

#[tokio::test]
async fn the_cheapest_and_the_best_rooms_are_read_in_their_order_and_not_sorted() {
    let inn = Inn::open().await;
    for order in [Order::Price { after: None }, Order::Rating { after: None }] {
        let plan = plan(&inn, order).await.expect("a plan").to_lowercase();
        let sorts = ["sort", "temp b-tree"].iter().any(|word| plan.contains(word));
        assert!(!sorts, "{order:?} on {:?}: {plan}", inn.database.engine());
    }
}
