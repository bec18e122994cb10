//! A [`Work`](super::Work) as one text: one statement of PostgreSQL's, or several that SQLite carries out as one command. The text depends
//! on the shape of the work alone, so that it is prepared once; all values are bound.
//!
//! Where a statement has touched another number of rows than it has to, the text fails on purpose, with an error whose message says which
//! statement it was and how many rows it touched. That ends the rest.

use mesh_foundation::failure;
use sea_orm::{
    DbBackend, DbErr, SqlxSqliteError, Statement, StatementBuilder,
    sea_query::{CaseStatement, CommonTableExpression, Expr, ExprTrait, Query, Value, Values, WithClause},
};

use super::{Short, Step};

/// What the message of an error on purpose begins with; then come the statement's number, [`TOUCHED`], and the number of rows.
const STATEMENT: &str = "jumak: statement ";
const TOUCHED: &str = " touched this many rows: ";

/// One statement of PostgreSQL's, in which each step is a common table expression.
///
/// All parts see the rows as they were before the first one. Each part waits for the one before it, because its condition counts what that
/// one returned; and does nothing if that was not what it had to be. So they are carried out in their order, as far as the first that falls
/// short.
pub(in crate::db) fn postgres(steps: &[Step]) -> Statement {
    let mut parts = WithClause::new();
    let mut verdict = CaseStatement::new();
    let mut before: Option<&Step> = None;
    for (index, step) in steps.iter().enumerate() {
        let condition = before.map(|before| match before.touches() {
            Some(rows) => touched(index - 1).eq(signed(rows)),
            None => touched(index - 1).gte(0_i64),
        });
        let mut part = CommonTableExpression::new();
        part.table_name(format!("s{index}")).query(step.part(condition));
        parts.cte(part);
        if let Some(rows) = step.touches() {
            let said = format!("CAST('{STATEMENT}{index}{TOUCHED}' || (SELECT count(*) FROM s{index}) AS integer)");
            verdict = verdict.case(touched(index).ne(signed(rows)), Expr::cust(said));
        }
        before = Some(step);
    }
    // A CASE of no WHEN is no SQL.
    let is_counted = steps.iter().any(|step| step.touches().is_some());
    let verdict = if is_counted { verdict.into() } else { Expr::val(0_i32) };
    StatementBuilder::build(&Query::select().expr(verdict).to_owned().with(parts), &DbBackend::Postgres)
}

fn touched(index: usize) -> Expr {
    Expr::cust(format!("(SELECT count(*) FROM s{index})"))
}

fn signed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The steps one after the other, each followed by a query that fails if it has not touched what it has to: by a JSON path that is none,
/// which is the one thing that a function of SQLite's repeats in its error.
pub(in crate::db) fn sqlite(steps: &[Step]) -> Statement {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for (index, step) in steps.iter().enumerate() {
        let statement = step.statement(DbBackend::Sqlite);
        sql.push_str(&statement.sql);
        sql.push(';');
        values.extend(statement.values.into_iter().flat_map(|Values(values)| values));
        if let Some(rows) = step.touches() {
            let said = format!("'{STATEMENT}{index}{TOUCHED}' || changes()");
            sql.push_str(&format!("SELECT json_extract('{{}}', {said}) WHERE changes() <> ?;"));
            values.push(Value::from(signed(rows)));
        }
    }
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Which statement fell short, if that is what the error says.
pub(in crate::db) fn short(error: &DbErr) -> Option<Short> {
    let database = failure::driver(error)?.as_database_error()?;
    // PostgreSQL 22P02 (no such integer); SQLite's ERROR.
    let on_purpose = if database.try_downcast_ref::<SqlxSqliteError>().is_some() { "1" } else { "22P02" };
    if database.code().as_deref() != Some(on_purpose) {
        return None;
    }
    let (_, said) = database.message().split_once(STATEMENT)?;
    let (statement, said) = said.split_once(TOUCHED)?;
    let touched = said.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some(Short { statement: statement.parse().ok()?, touched: touched.parse().ok()? })
}
