//! All that a request could have left behind.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Statement};

use crate::support::scene::Scene;

/// What is counted: every table that a call writes to, and the units that are sold.
const COUNTED: &[(&str, &str)] = &[
    ("room", "SELECT count(*) AS n FROM room"),
    ("room", "SELECT CAST(sum(version) AS BIGINT) AS n FROM room"),
    ("room", "SELECT count(*) AS n FROM blocked_night"),
    ("room", "SELECT count(*) AS n FROM outbox"),
    ("room", "SELECT count(*) AS n FROM request"),
    ("reservation", "SELECT count(*) AS n FROM reservation"),
    ("reservation", "SELECT CAST(sum(version) AS BIGINT) AS n FROM reservation"),
    ("reservation", "SELECT CAST(sum(taken) AS BIGINT) AS n FROM night"),
    ("reservation", "SELECT count(*) AS n FROM outbox"),
    ("reservation", "SELECT count(*) AS n FROM request"),
    ("payment", "SELECT count(*) AS n FROM payment"),
    ("payment", "SELECT count(*) AS n FROM refund"),
    ("payment", "SELECT count(*) AS n FROM ledger_entry"),
    ("payment", "SELECT count(*) AS n FROM outbox"),
    ("payment", "SELECT count(*) AS n FROM request"),
    ("provider", "SELECT count(*) AS n FROM charge"),
    ("provider", "SELECT count(*) AS n FROM charge_refund"),
    ("provider", "SELECT count(*) AS n FROM movement"),
];

/// How much there is of everything.
pub async fn count(scene: &Scene) -> BTreeMap<(&'static str, &'static str), i64> {
    let mut books = BTreeMap::new();
    for (context, query) in COUNTED {
        let database = scene.inn.database(context).await;
        let query_of_engine = Statement::from_string(database.read().get_database_backend(), *query);
        let row = database.read().query_one_raw(query_of_engine).await;
        let row = row.expect("an answer").expect("one row");
        books.insert((*context, *query), row.try_get::<Option<i64>>("", "n").expect("a number").unwrap_or_default());
    }
    books
}
