//! A transaction that needs no answer in between, as data.
//!
//! A transaction that reads, decides and writes has as many round trips as statements, and BEGIN and COMMIT besides. Where everything is
//! known before it begins, each statement can say by itself under which condition it holds and how many rows it has to touch. On PostgreSQL
//! such a work is one statement and one round trip; on SQLite one command between BEGIN and COMMIT; on MariaDB a transaction as ever.
//! See `docs/adr/0038-a-transaction-as-data.md` for what a statement of a work promises on each engine.

mod step;
pub(super) mod texts;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};

use mesh_foundation::error::Error;
use sea_orm::{ConnectionTrait, Statement};

pub use self::step::Step;
use super::{
    Database, Engine, StoreError,
    effects::Effects,
    transaction::{Ended, Tx},
};

/// Statements that are carried out in their order, all of them or none.
///
/// No statement may change a row that another one of the same work inserts or changes: PostgreSQL shows all of them the rows as they were
/// before the first.
#[derive(Debug)]
#[must_use = "a work does nothing before it is performed"]
pub struct Work {
    label: &'static str,
    steps: Vec<Step>,
    effects: Effects,
}

/// A statement of a work touched another number of rows than it has to, and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Which one, counted from zero.
    pub statement: usize,
    /// How many rows it touched.
    pub touched: u64,
}

impl Work {
    /// A work without statements. `label` names it in the log.
    pub fn new(label: &'static str) -> Self {
        Self { label, steps: Vec::new(), effects: Effects::default() }
    }

    /// What names it in the log.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// The same, and then that statement.
    pub fn then(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// The same, and then those statements.
    pub fn then_all(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// The same, with an effect that is done once the work has committed: see [`Tx::on_commit`].
    pub fn on_commit(self, effect: impl FnOnce() + Send + 'static) -> Self {
        self.effects.add(Box::new(effect));
        self
    }

    fn ended(&self) -> Ended {
        let appended = self.steps.iter().rev().find_map(Step::appended);
        Ended { effects: self.effects.clone(), wakes_relay: appended.is_some(), appended }
    }
}

impl Database {
    /// Performs `work`: all of it, or nothing and what fell short first. As with [`transact`](Self::transact), a work that loses to
    /// another one is performed again, and after `Ok(Ok(()))` the change is durable.
    ///
    /// After [`StoreError::CommitUnknown`] it may be or not. On PostgreSQL that is more often so than with `transact`: a connection that
    /// turns out to be dead may have carried the one statement there is. [`perform_or`](Self::perform_or) looks then.
    pub async fn perform(&self, work: Work) -> Result<Result<(), Short>, Error> {
        match self.engine {
            Engine::Postgres => {
                let (statement, work) = (one_statement(&work.steps), &work);
                self.until_it_wins(work.label, || self.perform_in_one(work, &statement)).await
            }
            Engine::Sqlite | Engine::MySql => self.perform_in_a_transaction(&work).await,
        }
    }

    /// Performs `work` and returns `done`. If it falls short, or if nobody knows whether it is committed, `otherwise` reads what stands and
    /// decides, in a transaction: whatever the work has or has not done by then.
    pub async fn perform_or<T, F, Fut>(&self, work: Work, done: T, otherwise: F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let label = work.label;
        let unknown = match self.perform(work).await {
            Ok(Ok(())) => return Ok(done),
            Ok(Err(Short { statement, touched })) => {
                tracing::debug!(label, statement, touched, "a work fell short; what stands decides");
                None
            }
            Err(unknown @ Error::Store(StoreError::CommitUnknown(_))) => Some(unknown),
            Err(error) => return Err(error),
        };
        match (self.transact(label, otherwise).await, unknown) {
            // Nobody has looked.
            (Err(Error::Store(_) | Error::Lost), Some(unknown)) => Err(unknown),
            (outcome, _) => outcome,
        }
    }

    /// In autocommit: the statement is the transaction. What fails in it is undone with it.
    async fn perform_in_one(&self, work: &Work, statement: &Statement) -> Result<Result<(), Short>, Error> {
        let touched = match self.write.execute_raw(statement.clone()).await {
            Ok(done) => done.rows_affected(),
            Err(error) => {
                if let Some(short) = texts::short(&error) {
                    return Ok(Err(short));
                }
                return Err(match StoreError::of_autocommit(error) {
                    unknown @ StoreError::CommitUnknown(_) => {
                        return self.conclude(work.label, Err(unknown), &work.ended()).map(Ok);
                    }
                    error => error.into(),
                });
            }
        };
        if let [step] = work.steps.as_slice()
            && step.is_all_or_nothing()
            && !step.is_done_by(touched)
        {
            return Ok(Err(Short { statement: 0, touched }));
        }
        self.conclude(work.label, Ok(()), &work.ended()).map(Ok)
    }

    async fn perform_in_a_transaction(&self, work: &Work) -> Result<Result<(), Short>, Error> {
        let command = &(self.engine == Engine::Sqlite).then(|| texts::sqlite(&work.steps));
        // The transaction is to be rolled back, and to say why.
        let fell_short = &Mutex::new(None);
        let performed = self.transact(work.label, |tx| async move {
            let short = match command {
                Some(command) => all_at_once(&tx, command).await?,
                None => one_by_one(&tx, &work.steps).await?,
            };
            if let Some(short) = short {
                *fell_short.lock().unwrap_or_else(PoisonError::into_inner) = Some(short);
                return Err(Error::Internal(format!("{} fell short", work.label)));
            }
            if let Some(event) = work.ended().appended {
                tx.note_appended(event);
            }
            let effects = work.effects.clone();
            tx.on_commit(move || effects.perform());
            Ok(())
        });
        let performed = performed.await;
        match fell_short.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(short) => Ok(Err(short)),
            None => performed.map(Ok),
        }
    }
}

/// As one statement; a work that is one INSERT of one row is that by itself, and fails for nothing if the row is there.
fn one_statement(steps: &[Step]) -> Statement {
    match steps {
        [step] if step.is_all_or_nothing() => step.statement(sea_orm::DbBackend::Postgres),
        steps => texts::postgres(steps),
    }
}

/// The statements of a work over the connection of a transaction, in one command. After one that falls short none is carried out.
async fn all_at_once(tx: &Tx, command: &Statement) -> Result<Option<Short>, Error> {
    match tx.execute_raw(command.clone()).await {
        Ok(_) => Ok(None),
        Err(error) => match texts::short(&error) {
            Some(short) => Ok(Some(short)),
            None => Err(error.into()),
        },
    }
}

async fn one_by_one(tx: &Tx, steps: &[Step]) -> Result<Option<Short>, Error> {
    for (statement, step) in steps.iter().enumerate() {
        let touched = tx.carry_out(step).await?;
        if !step.is_done_by(touched) {
            return Ok(Some(Short { statement, touched }));
        }
    }
    Ok(None)
}

impl Tx {
    /// Carries out one statement, and fails unless it touches what it has to: somebody else was faster.
    pub async fn expect(&self, step: impl Into<Step>) -> Result<(), Error> {
        let step = step.into();
        let touched = self.carry_out(&step).await?;
        if !step.is_done_by(touched) {
            return Err(Error::Lost);
        }
        if let Some(event) = step.appended() {
            self.note_appended(event);
        }
        Ok(())
    }

    /// Carries out one statement, and tells how many rows it touched.
    pub(super) async fn carry_out(&self, step: &Step) -> Result<u64, StoreError> {
        let outcome = self.execute_raw(step.statement(self.get_database_backend())).await;
        match outcome.map_err(StoreError::from) {
            Ok(done) => Ok(done.rows_affected()),
            // MySQL is asked by its error.
            Err(StoreError::Duplicate(_)) if step.is_insert_new() => Ok(0),
            Err(error) => Err(error),
        }
    }
}
