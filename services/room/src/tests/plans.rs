//! How an engine carries out a search: rooms come from an index in their order, however many there are.

use mesh::{Error, db::Engine};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, QuerySelect, QueryTrait, Statement};

use super::Inn;
use crate::{
    search::{Order, Query},
    store,
};

/// What the engine says that it would do. PostgreSQL is not allowed to read the whole table, which is faster as long as there is nothing
/// in it.
async fn plan(inn: &Inn, order: Order) -> Result<String, Error> {
    let engine = inn.database.engine();
    let text = |row: &QueryResult| match engine {
        Engine::Sqlite => row.try_get_by::<String, _>("detail"),
        Engine::Postgres => row.try_get_by_index(0),
        Engine::MySql => row.try_get_by("Extra"),
    };
    let explained = inn.database.transact("plan", |tx| async move {
        let backend = tx.get_database_backend();
        let select = store::search::select(&Query { order, ..anything() }, backend).limit(51).build(backend);
        let explain = match engine {
            Engine::Sqlite => "EXPLAIN QUERY PLAN",
            Engine::Postgres => {
                tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
                "EXPLAIN"
            }
            Engine::MySql => "EXPLAIN",
        };
        Ok(tx.query_all_raw(Statement { sql: format!("{explain} {}", select.sql), ..select }).await?)
    });
    Ok(explained.await?.iter().map(text).collect::<Result<String, DbErr>>()?)
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
