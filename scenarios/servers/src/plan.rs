//! Reads an engine's query plan.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

/// Whether `select` would sort its rows instead of reading them in order from an index. Must run within a transaction. Sequential scans are
/// disabled on PostgreSQL, because it would choose one for an empty table.
pub async fn sorts(tx: &impl ConnectionTrait, select: Statement) -> Result<bool, DbErr> {
    let backend = tx.get_database_backend();
    let explain = match backend {
        DbBackend::Sqlite => "EXPLAIN QUERY PLAN",
        DbBackend::Postgres => {
            tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
            "EXPLAIN"
        }
        _ => "EXPLAIN",
    };
    let says = |row: &QueryResult| match backend {
        DbBackend::Sqlite => row.try_get_by::<String, _>("detail"),
        DbBackend::Postgres => row.try_get_by_index(0),
        _ => row.try_get_by("Extra"),
    };
    let rows = tx.query_all_raw(Statement { sql: format!("{explain} {}", select.sql), ..select }).await?;
    let plan = rows.iter().map(says).collect::<Result<String, DbErr>>()?.to_lowercase();
    Ok(["sort", "temp b-tree"].iter().any(|word| plan.contains(word)))
}
