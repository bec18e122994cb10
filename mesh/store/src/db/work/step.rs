//! One statement of a [`Work`](super::Work).

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, DbBackend, DeleteMany, EntityName, EntityTrait, Iterable,
    PrimaryKeyToColumn, QueryFilter, QueryTrait, Statement, StatementBuilder, UpdateMany,
    sea_query::{
        DeleteStatement, DynIden, Expr, InsertStatement, IntoIden, OnConflict, Query, SelectStatement,
        SubQueryStatement, TableRef, UnionType, UpdateStatement,
    },
};
use uuid::Uuid;

/// A statement that changes rows, and how many rows it has to touch. What a function of a store returns instead of running it, so that its
/// caller can run it in an open transaction ([`Tx::expect`](super::super::Tx::expect)), or together with others as one
/// [`Work`](super::Work).
#[derive(Clone, Debug)]
#[must_use = "a step does nothing before it is carried out"]
pub struct Step {
    change: Change,
    touches: Option<u64>,
    appends: Option<Uuid>,
    /// That the key is one of those of the rows which it locks first, in their order.
    locks: Option<Expr>,
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Rows),
    Update(UpdateStatement),
    Delete(DeleteStatement),
}

#[derive(Clone, Debug)]
struct Rows {
    table: TableRef,
    columns: Vec<DynIden>,
    rows: Vec<Vec<Expr>>,
    /// Whether a row whose key is there already is passed over, instead of being an error.
    new: bool,
    /// Without which nothing is added.
    condition: Option<Expr>,
}

impl Step {
    const fn of(change: Change) -> Self {
        Self { change, touches: None, appends: None, locks: None }
    }

    /// Adds that row. A row of its key is an error: [`StoreError::Duplicate`](super::super::StoreError::Duplicate).
    pub fn insert<A: ActiveModelTrait>(row: A) -> Self {
        Self::insert_all([row])
    }

    /// Adds those rows, all of the same columns.
    pub fn insert_all<A: ActiveModelTrait>(rows: impl IntoIterator<Item = A>) -> Self {
        let rows = Rows::of(rows, false);
        Self { touches: u64::try_from(rows.rows.len()).ok(), ..Self::of(Change::Insert(rows)) }
    }

    /// Adds that row unless a row of its key is there: then it touches none.
    pub fn insert_new<A: ActiveModelTrait>(row: A) -> Self {
        Self { touches: Some(1), ..Self::of(Change::Insert(Rows::of([row], true))) }
    }

    /// Adds that row if `condition` holds and no row of its key is there: otherwise it touches none.
    pub fn insert_new_if<A: ActiveModelTrait>(row: A, condition: impl Into<Expr>) -> Self {
        let rows = Rows { condition: Some(condition.into()), ..Rows::of([row], true) };
        Self { touches: Some(1), ..Self::of(Change::Insert(rows)) }
    }

    /// Writes what is set in that row over the row of its key, which must still be `as_read`. The key stays as it is, and nothing is written
    /// to its index.
    pub fn over<A: ActiveModelTrait>(mut row: A, as_read: Expr) -> Self {
        let mut filter = Condition::all().add(as_read);
        for key in <A::Entity as EntityTrait>::PrimaryKey::iter() {
            let column = key.into_column();
            filter = match row.take(column).into_value() {
                Some(value) => filter.add(column.eq(value)),
                None => filter.add(Expr::value(false)),
            };
        }
        A::Entity::update_many().set(row).filter(filter).into()
    }

    /// The same, which has to touch so many rows.
    pub fn exactly(self, rows: u64) -> Self {
        Self { touches: Some(rows), ..self }
    }

    /// The same, which may touch any number of rows.
    pub fn any(self) -> Self {
        Self { touches: None, ..self }
    }

    /// The same update, which on PostgreSQL first locks the rows whose `key` these are, in the order of `keys`. A plan may find rows in any
    /// order, and two connections may have two plans: then each waits for the other until the database ends one of them, a second later.
    pub fn locking(self, key: impl ColumnTrait, mut keys: SelectStatement) -> Self {
        Self { locks: Some(key.in_subquery(keys.lock_exclusive().to_owned())), ..self }
    }

    /// The same, which puts that event into the outbox.
    pub(crate) fn appends(self, event: Uuid) -> Self {
        Self { appends: Some(event), ..self }
    }

    /// The event that it puts into the outbox.
    pub(in crate::db) fn appended(&self) -> Option<Uuid> {
        self.appends
    }

    /// How many rows it has to touch, if that matters.
    pub(super) fn touches(&self) -> Option<u64> {
        self.touches
    }

    /// Whether that many rows are what it has to touch.
    pub(in crate::db) fn is_done_by(&self, touched: u64) -> bool {
        self.touches.is_none_or(|rows| rows == touched)
    }

    /// Whether it is an INSERT that passes over what is there.
    pub(in crate::db) fn is_insert_new(&self) -> bool {
        matches!(&self.change, Change::Insert(rows) if rows.new)
    }

    /// Whether it cannot have changed anything if it has not touched what it has to: it adds one row or none.
    pub(super) fn is_all_or_nothing(&self) -> bool {
        self.touches == Some(1) && matches!(&self.change, Change::Insert(rows) if rows.rows.len() == 1)
    }

    /// The statement by itself. On MySQL, a row that is there is an error whatever it was asked for.
    pub(in crate::db) fn statement(&self, backend: DbBackend) -> Statement {
        match &self.change {
            Change::Insert(rows) => {
                StatementBuilder::build(&rows.statement(rows.new && backend != DbBackend::MySql, None), &backend)
            }
            Change::Update(update) => {
                let locks = self.locks.clone().filter(|_| backend == DbBackend::Postgres);
                let mut update = update.clone();
                StatementBuilder::build(update.cond_where(Condition::all().add_option(locks)), &backend)
            }
            Change::Delete(delete) => StatementBuilder::build(delete, &backend),
        }
    }

    /// The statement as a part of another one, to which it returns as many rows as it touches. It touches none unless `condition` holds.
    pub(super) fn part(&self, condition: Option<Expr>) -> SubQueryStatement {
        let one = Query::returning().expr(Expr::cust("1"));
        match (&self.change, condition) {
            (Change::Insert(rows), condition) => rows.statement(rows.new, condition).returning(one).to_owned().into(),
            (Change::Update(update), condition) => {
                let mut update = update.clone();
                let condition = Condition::all().add_option(condition).add_option(self.locks.clone());
                update.cond_where(condition).returning(one);
                update.into()
            }
            (Change::Delete(delete), condition) => {
                let mut delete = delete.clone();
                delete.cond_where(Condition::all().add_option(condition)).returning(one);
                delete.into()
            }
        }
    }
}

impl Rows {
    fn of<A: ActiveModelTrait>(rows: impl IntoIterator<Item = A>, new: bool) -> Self {
        let mut columns = Vec::new();
        let rows = rows.into_iter().enumerate().map(|(index, row)| {
            let mut values = Vec::new();
            for column in <A::Entity as EntityTrait>::Column::iter() {
                if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.get(column) {
                    values.push(column.save_as(Expr::val(value)));
                    if index == 0 {
                        columns.push(column.into_iden());
                    }
                }
            }
            values
        });
        let rows = rows.collect();
        Self { table: A::Entity::default().table_ref(), columns, rows, new, condition: None }
    }

    fn without_rows(&self, new: bool) -> InsertStatement {
        let mut insert = Query::insert();
        insert.into_table(self.table.clone()).columns(self.columns.clone());
        if new {
            insert.on_conflict(OnConflict::new().do_nothing().to_owned());
        }
        insert
    }

    /// Adds the rows if their own condition holds and `condition` does.
    fn statement(&self, new: bool, condition: Option<Expr>) -> InsertStatement {
        let mut insert = self.without_rows(new);
        if self.condition.is_none() && condition.is_none() {
            for row in &self.rows {
                insert.values_panic(row.clone());
            }
            return insert;
        }
        let condition = Condition::all().add_option(condition).add_option(self.condition.clone());
        let row = |row: &Vec<Expr>| -> SelectStatement {
            Query::select().exprs(row.clone()).cond_where(condition.clone()).to_owned()
        };
        let mut rows = self.rows.iter().map(row);
        if let Some(mut all) = rows.next() {
            for row in rows {
                all.union(UnionType::All, row);
            }
            // Fails if a row has other columns than the first: the statement is then refused by the database.
            drop(insert.select_from(all));
        }
        insert
    }
}

impl<E: EntityTrait> From<UpdateMany<E>> for Step {
    /// Has to touch one row, unless [another number](Step::exactly) is told.
    fn from(update: UpdateMany<E>) -> Self {
        Self { touches: Some(1), ..Self::of(Change::Update(update.into_query())) }
    }
}

impl<E: EntityTrait> From<DeleteMany<E>> for Step {
    /// Has to touch one row, unless [another number](Step::exactly) is told.
    fn from(delete: DeleteMany<E>) -> Self {
        Self { touches: Some(1), ..Self::of(Change::Delete(delete.into_query())) }
    }
}
