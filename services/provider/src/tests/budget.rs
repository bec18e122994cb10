//! What a charge costs. A change may lower these numbers; one that raises them says why.

use mesh::db::{Counts, Engine};

use super::bench;

#[tokio::test]
async fn a_charge_that_is_due_at_once_costs_one_commit() {
    let bench = bench().await;
    bench.charge("first", "tok_approve").await.expect("charged");
    let before = bench.database.counts();
    for id in 0..10 {
        bench.charge(&format!("charge {id}"), "tok_approve").await.expect("charged");
    }
    let spent = bench.database.counts().since(before);
    // Whether it is there; the charge and its movement.
    let statements = match bench.database.engine() {
        Engine::Postgres | Engine::Sqlite => 2,
        Engine::MySql => 3,
    };
    assert_eq!(spent, Counts { statements: 10 * statements, commits: 10 });
}
