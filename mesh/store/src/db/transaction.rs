//! One run of a transaction, and what `work` sees of it.

use std::{
    mem,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use mesh_foundation::{error::Error, failure::StoreError};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use uuid::Uuid;

use super::{Engine, effects::Effects, work::Step};

/// An open transaction. Deref gives the connection that its statements go over.
#[derive(Clone, Debug)]
pub struct Tx {
    statements: Arc<Statements>,
    ending: Ending,
}

/// The connection of one transaction. After a statement that failed it carries out no other, because the engine may have ended the
/// transaction: PostgreSQL answers the COMMIT of a failed transaction with "done" and rolls back; MariaDB after a deadlock, and
/// SQLite after a full disk, would commit each later statement by itself.
#[derive(Debug)]
pub struct Statements {
    transaction: DatabaseTransaction,
    failed: AtomicBool,
}

/// What is left to do once the transaction is committed. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    effects: Effects,
    wakes_relay: Arc<AtomicBool>,
    appended: Arc<Mutex<Option<Uuid>>>,
    is_shared: Arc<AtomicBool>,
}

/// The same, once the transaction has ended.
pub(super) struct Ended {
    pub effects: Effects,
    /// Whether there is something for the relay to publish.
    pub wakes_relay: bool,
    /// The last event that was put into the outbox.
    pub appended: Option<Uuid>,
}

/// One run of a transaction, from its BEGIN to its end.
pub(super) struct Run {
    statements: Arc<Statements>,
    ending: Ending,
}

/// A run whose work is over.
pub(super) struct Done {
    statements: Statements,
    ending: Ending,
}

impl Run {
    pub(super) fn of(transaction: DatabaseTransaction) -> Self {
        let statements = Statements { transaction, failed: AtomicBool::new(false) };
        Self { statements: Arc::new(statements), ending: Ending::default() }
    }

    /// What `work` is given.
    pub(super) fn tx(&self) -> Tx {
        Tx { statements: self.statements.clone(), ending: self.ending.clone() }
    }

    /// Fails if `work` has kept what it was given.
    pub(super) fn end(self) -> Result<Done, Error> {
        let statements = Arc::try_unwrap(self.statements)
            .map_err(|_| Error::Internal("a transaction's handle outlived its work".to_owned()))?;
        Ok(Done { statements, ending: self.ending })
    }
}

impl Done {
    /// Commits, unless a statement has failed: then it rolls back, and that is an error.
    pub(super) async fn commit(self) -> (Result<(), StoreError>, Ended) {
        let Self { statements: Statements { transaction, failed }, ending } = self;
        let ended = Ended {
            effects: ending.effects,
            wakes_relay: ending.wakes_relay.load(Ordering::Relaxed),
            appended: *ending.appended.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if failed.into_inner() {
            let rolled_back = transaction.rollback().await.map_err(StoreError::from);
            return (rolled_back.and_then(|()| Err(gone_on().into())), ended);
        }
        (transaction.commit().await.map_err(StoreError::of_commit), ended)
    }

    /// Rolls back.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.statements.transaction.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = Statements;

    fn deref(&self) -> &Self::Target {
        &self.statements
    }
}

impl Tx {
    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        self.statements.get_database_backend().into()
    }

    /// Does `effect` once this transaction has committed, and before `transact` returns: for what no rollback takes back, like counting
    /// or waking somebody. Not at all if it does not commit, or if nobody knows whether it has; a run that lost leaves nothing to the
    /// next. May be skipped after a commit whose caller is gone, so nothing that must happen may hang on it.
    pub fn on_commit(&self, effect: impl FnOnce() + Send + 'static) {
        self.ending.effects.add(Box::new(effect));
    }

    /// Says that this transaction handles several things one after the other, which have nothing to do with one another.
    pub fn share(&self) {
        self.ending.is_shared.store(true, Ordering::Relaxed);
    }

    /// Whether it is [shared](Self::share). What locks a row that many write, after others, must not be done in it: it would hold that row
    /// while it waits for the rows of the next thing. Return [`Error::Apart`] then.
    pub fn is_shared(&self) -> bool {
        self.ending.is_shared.load(Ordering::Relaxed)
    }

    /// For migrations only, which end with their first statement that fails.
    pub(crate) fn for_migrations(&self) -> &DatabaseTransaction {
        &self.statements.transaction
    }

    /// Remembers that this transaction has left the relay something to publish, so that its commit wakes it.
    pub fn wake_relay(&self) {
        self.ending.wakes_relay.store(true, Ordering::Relaxed);
    }

    /// Remembers that this transaction put an event into the outbox.
    pub(crate) fn note_appended(&self, event: Uuid) {
        self.wake_relay();
        *self.ending.appended.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
    }

    /// Inserts one row and tells whether it was new. On PostgreSQL and SQLite a duplicate is passed over by the statement itself;
    /// MySQL is asked by its error 1062, because its other ways either hide real errors or count found rows.
    pub async fn insert_new<A: sea_orm::ActiveModelTrait>(&self, row: A) -> Result<bool, StoreError> {
        Ok(self.carry_out(&Step::insert_new(row)).await? > 0)
    }
}

/// Sets its flag when it is dropped.
struct Dropped<'a>(&'a AtomicBool);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Statements {
    async fn unless_failed<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        if self.failed.load(Ordering::Acquire) {
            return Err(gone_on());
        }
        // A statement that is dropped while it runs has an outcome that nobody knows.
        let dropped = Dropped(&self.failed);
        let outcome = statement.await;
        mem::forget(dropped);
        if outcome.as_ref().is_err_and(|error| !self.survives(error)) {
            self.failed.store(true, Ordering::Release);
        }
        outcome
    }

    /// Whether the transaction goes on after that error: everywhere but on PostgreSQL, a duplicate undoes only its own statement.
    fn survives(&self, error: &DbErr) -> bool {
        self.get_database_backend() != DbBackend::Postgres
            && matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
    }
}

fn gone_on() -> DbErr {
    DbErr::Custom("the transaction has failed already, and its work went on".to_owned())
}

#[async_trait::async_trait]
impl ConnectionTrait for Statements {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.unless_failed(self.transaction.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.unless_failed(self.transaction.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.unless_failed(self.transaction.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.unless_failed(self.transaction.query_all_raw(statement)).await
    }
}
