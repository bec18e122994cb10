//! How an engine finds what is not published: a relay that has been away may find a million rows.

use sea_orm::{ConnectionTrait, QueryTrait};

use super::*;

#[tokio::test]
async fn what_is_not_published_is_read_in_its_order_and_not_sorted() {
    let testbed = Testbed::new();
    let database = testbed.database("room.db").await;
    let sorts = database.transact("plan", |tx| async move {
        let backend = tx.get_database_backend();
        Ok(servers::plan::sorts(&*tx, super::super::unpublished(backend).limit(BATCH).build(backend)).await?)
    });
    assert!(!sorts.await.unwrap(), "on {:?}", database.engine());
}
