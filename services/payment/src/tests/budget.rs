//! What a payment costs. A change may lower these numbers; one that raises them says why.

use mesh::db::{Counts, Engine};

use super::bench;

#[tokio::test]
async fn a_payment_that_is_approved_costs_two_commits_and_a_statement_for_each_where_that_can_be() {
    let bench = bench().await;
    bench.approved(1).await;
    let before = bench.database.counts();
    for id in 2..12 {
        bench.approved(id).await;
    }
    let spent = bench.database.counts().since(before);
    let statements = match bench.database.engine() {
        Engine::Postgres | Engine::Sqlite => 2,
        // The payment; its change, the ledger, the event.
        Engine::MySql => 4,
    };
    assert_eq!(spent, Counts { statements: 10 * statements, commits: 10 * 2 });
}
