//! A context's table of cases: the columns that every case needs for its lifecycle, and the statements on them.
//!
//! A context declares one entity with [`case_table`](crate::case_table), and says what is in its own columns
//! ([`Cases::to_row`], [`Cases::from_row`]). Everything here goes by the names of the columns.

pub mod intent;
pub mod payer;
mod row;
pub mod table;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use mesh_foundation::{
    clock::from_micros,
    error::{Error, Refusal, shown},
    fields,
};
use mesh_store::db::{Database, Step, Tx};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use self::row::column;
pub use self::row::{case_of, row_of};
use super::{
    machine::State,
    record::{Case, Cases, Due, Scope},
};

/// A row of a context's table of cases, as it is read.
pub type Row<C> = <<C as Cases>::Table as EntityTrait>::Model;
/// A row of a context's table of cases, as it is written.
pub type NewRow<C> = <<C as Cases>::Table as EntityTrait>::ActiveModel;

/// The case of that name, as it stands on that connection.
pub async fn find<C: Cases>(on: &impl ConnectionTrait, name: &str, scope: &Scope) -> Result<Option<C::Case>, Error> {
    let (payer, payee) = (column::<C>("payer")?, column::<C>("payee")?);
    let query = C::Table::find().filter(column::<C>("id")?.eq(id_of::<C>(name)?));
    let query = match scope {
        Scope::All => query,
        Scope::Payer(user) => query.filter(payer.eq(user)),
        Scope::Party(user) => query.filter(payer.eq(user).or(payee.eq(user))),
    };
    query.one(on).await?.map(case_of::<C>).transpose()
}

/// Up to `limit` cases in the order of their ids, from above `after` on: for the audit.
pub async fn page<C: Cases>(on: &impl ConnectionTrait, after: Option<Uuid>, limit: u64) -> Result<Vec<C::Case>, Error> {
    let id = column::<C>("id")?;
    let mut query = C::Table::find().order_by_asc(id).limit(limit);
    if let Some(after) = after {
        query = query.filter(id.gt(after));
    }
    query.all(on).await?.into_iter().map(case_of::<C>).collect()
}

/// Adds a case, unless it is there already or its payer has `most` PENDING cases.
///
/// The statement counts what was committed when it began, so of statements that run at once each may add one. That suffices for cases that
/// are paid at once: they stay PENDING for a moment, and the calls that a person has in flight are bounded. Holds without a payment take
/// turns besides ([`payer::take_turn`]), and are never more than `most`.
pub fn insert<C: Cases>(case: &C::Case, most: u32) -> Result<Step, Error> {
    let open =
        pending_of::<C>(&case.record().payer)?.select_only().expr(Expr::col(column::<C>("id")?).count()).into_query();
    Ok(Step::insert_new_if(row_of::<C>(case)?, Expr::from(open).lt(i64::from(most))))
}

/// Writes `case` over the row of its name that is still in version and state `from`; touches no row if there is none (rule T).
pub fn update<C: Cases>(from: (i64, State), case: &C::Case) -> Result<Step, Error> {
    let (version, state) = from;
    let still_there = column::<C>("version")?.eq(version).and(column::<C>("state")?.eq(state.name()));
    Ok(Step::over(row_of::<C>(case)?, still_there))
}

/// How many PENDING cases that user pays for.
pub async fn open_holds<C: Cases>(tx: &Tx, payer: &str) -> Result<u64, Error> {
    Ok(pending_of::<C>(payer)?.count(&**tx).await?)
}

fn pending_of<C: Cases>(payer: &str) -> Result<Select<C::Table>, Error> {
    let pending = column::<C>("state")?.eq(State::Pending.name());
    Ok(C::Table::find().filter(column::<C>("payer")?.eq(payer)).filter(pending))
}

/// Up to `limit` cases whose next look is due, oldest first. Reads no more of them than that, so that a case that cannot be read is
/// due, and claimed, like any other.
pub async fn due<C: Cases>(on: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<Vec<Due>, Error> {
    let next = column::<C>("next_attempt_time")?;
    let rows: Vec<(Uuid, i64, i64, i32)> = C::Table::find()
        .select_only()
        .column(column::<C>("id")?)
        .column(next)
        .column(column::<C>("hold_expire_time")?)
        .column(column::<C>("sweeps")?)
        .filter(next.lte(now.as_microsecond()))
        .order_by_asc(next)
        .limit(limit)
        .into_tuple()
        .all(on)
        .await?;
    let due = rows.into_iter().map(|(id, since, hold_expire_time, sweeps)| Due {
        name: fields::name(C::COLLECTION, id),
        since: from_micros(since),
        hold_expire_time: from_micros(hold_expire_time),
        sweeps: u32::try_from(sweeps).unwrap_or_default(),
    });
    Ok(due.collect())
}

/// Moves a case's next look from `seen` to `next`; false if somebody else has moved it. One committed statement (rule L).
pub async fn claim<C: Cases>(database: &Database, name: &str, seen: Timestamp, next: Timestamp) -> Result<bool, Error> {
    let id = id_of::<C>(name)?;
    let (id_column, next_look, sweeps) =
        (column::<C>("id")?, column::<C>("next_attempt_time")?, column::<C>("sweeps")?);
    database
        .transact("claim", |tx| async move {
            let updated = C::Table::update_many()
                .col_expr(next_look, Expr::value(next.as_microsecond()))
                .col_expr(sweeps, Expr::col(sweeps).add(1))
                .filter(id_column.eq(id))
                .filter(next_look.eq(seen.as_microsecond()))
                .exec(&*tx)
                .await?;
            Ok(updated.rows_affected == 1)
        })
        .await
}

/// The refusal for a case that is not there, or that the caller may not see.
pub fn not_found<C: Cases>(name: &str) -> Error {
    let shown = shown(name);
    Refusal::new(C::NOT_FOUND, format!("there is no {shown} among your {}", C::COLLECTION))
        .hint(format!("{} lists yours", C::LIST))
        .with(C::WORD, shown)
        .into()
}

/// The id in a case's name; a name that is none is that of no case.
fn id_of<C: Cases>(name: &str) -> Result<Uuid, Error> {
    fields::parse_name(name, C::COLLECTION).ok_or_else(|| not_found::<C>(name))
}
