//! How an engine carries out a search: rooms come from an index in their order, however many there are.

use mesh::Error;
use sea_orm::{ConnectionTrait, QuerySelect, QueryTrait};

use super::Inn;
use crate::{
    search::{Order, Query},
    store,
};

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

async fn sorts(inn: &Inn, order: Order) -> Result<bool, Error> {
    let asked = inn.database.transact("plan", |tx| async move {
        let backend = tx.get_database_backend();
        let select = store::search::select(&Query { order, ..anything() }, backend).limit(51);
        Ok(servers::plan::sorts(&*tx, select.build(backend)).await?)
    });
    asked.await
}

#[tokio::test]
async fn the_cheapest_and_the_best_rooms_are_read_in_their_order_and_not_sorted() {
    let inn = Inn::open().await;
    for order in [Order::Price { after: None }, Order::Rating { after: None }] {
        assert!(!sorts(&inn, order).await.expect("a plan"), "{order:?} on {:?}", inn.database.engine());
    }
}
