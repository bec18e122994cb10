//! A context's own database: any of PostgreSQL, MySQL/MariaDB and SQLite, chosen by its URL alone.
//!
//! Three rules stand here so that no context has to remember them:
//! - a transaction that lost to another one is run again from its beginning, a bounded number of times;
//! - nothing remote is awaited while a transaction is open ([`assert_no_transaction`]);
//! - on SQLite one connection writes (`BEGIN IMMEDIATE`) and the others read, because a deferred transaction that reads and then
//!   writes fails at once when somebody else has written in between.

mod connect;
mod effects;
mod failure;
pub mod order;

use std::{
    collections::HashSet,
    future::Future,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{Notify, watch};

pub use self::failure::StoreError;
use self::{
    connect::{Address, Demotion, connect_options, connection, migration_options, to_read, to_write},
    effects::Effects,
};
use crate::error::Error;

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a transaction that keeps losing is run before the caller is told.
const MAX_RUNS: u32 = 10;

tokio::task_local! {
    static IN_TRANSACTION: &'static str;
}

/// Panics if the current task has a transaction open: called by everything that awaits something remote.
#[expect(clippy::panic, reason = "a mistake of ours, which no answer to a caller may hide")]
pub fn assert_no_transaction(what: &str) {
    if let Ok(label) = IN_TRANSACTION.try_with(|label| *label) {
        panic!("{what} was awaited inside the transaction `{label}`");
    }
}

/// The three kinds of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite: one host, one file.
    Sqlite,
    /// PostgreSQL and what speaks like it.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl From<DbBackend> for Engine {
    fn from(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Postgres => Self::Postgres,
            DbBackend::MySql => Self::MySql,
            _ => Self::Sqlite,
        }
    }
}

/// A context's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    write: DatabaseConnection,
    read: DatabaseConnection,
    engine: Engine,
    /// A server's; a file is known to its connections only.
    address: Option<Address>,
    demotion: Demotion,
    appended: Arc<Notify>,
    commits: Arc<watch::Sender<u64>>,
}

impl Database {
    /// Opens the database at `url` (`sqlite://…`, `postgres://…`, `mysql://…`) with at most `max_connections` connections; a
    /// SQLite file that is not there is made.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let mut options = connect_options(url, max_connections);
        if url.starts_with("sqlite:") {
            options.map_sqlx_sqlite_opts(to_write);
            return Self::open_sqlite(options).await;
        }
        // A migrator has to say that it is there, even while somebody reads.
        options.max_connections(max_connections.max(2));
        let demotion = Demotion::default();
        demotion.watch(&mut options);
        let write = connection(options).await?;
        let engine = write.get_database_backend().into();
        let address = Some(Address(url.into()));
        Ok(Self { address, demotion, ..Self::of(write.clone(), write, engine) })
    }

    /// Opens the SQLite database in the file at `path`.
    pub async fn open_file(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        let path = path.to_owned();
        // Not as a URL, in which some characters of a path would mean something else.
        let mut options = connect_options("sqlite:", max_connections);
        options.map_sqlx_sqlite_opts(move |sqlite| to_write(sqlite.filename(&path)));
        Self::open_sqlite(options).await
    }

    async fn open_sqlite(options: ConnectOptions) -> Result<Self, StoreError> {
        let mut writing = options.clone();
        writing.max_connections(1).min_connections(1);
        let write = connection(writing).await?;
        let read = connection(options).await?;
        Ok(Self::of(write, read, Engine::Sqlite))
    }

    fn of(write: DatabaseConnection, read: DatabaseConnection, engine: Engine) -> Self {
        Self {
            write,
            read,
            engine,
            address: None,
            demotion: Demotion::default(),
            appended: Arc::default(),
            commits: Arc::default(),
        }
    }

    /// Opens the database at `url` for reading, with one connection and never another, so that a transaction which is begun on it holds for
    /// every query. A SQLite file must be there.
    pub async fn connect_to_read(url: &str) -> Result<Self, StoreError> {
        let mut options = connect_options(url, 1);
        options.map_sqlx_sqlite_opts(to_read);
        Self::open_to_read(options).await
    }

    /// Opens the SQLite database in the file at `path` for reading only, beside whoever writes it. It must be there.
    pub async fn open_file_to_read(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let mut options = connect_options("sqlite:", max_connections);
        options.map_sqlx_sqlite_opts(move |sqlite| to_read(sqlite.filename(&path)));
        Self::open_to_read(options).await
    }

    async fn open_to_read(options: ConnectOptions) -> Result<Self, StoreError> {
        let read = connection(options).await?;
        let engine = read.get_database_backend().into();
        Ok(Self::of(read.clone(), read, engine))
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// For queries outside any transaction. Sees what is committed.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For migrations only; everything else writes through [`transact`](Self::transact).
    pub fn for_migrations(&self) -> &DatabaseConnection {
        &self.write
    }

    /// A connection to the server for a migration, which may take its time. A SQLite file is migrated in a transaction.
    pub(crate) async fn connect_to_migrate(&self) -> Result<DatabaseConnection, StoreError> {
        match &self.address {
            Some(address) => connection(migration_options(&address.0)).await,
            None => Err(StoreError::Other(DbErr::Custom("a file has only one writer".to_owned()))),
        }
    }

    /// Runs `work` in one transaction, READ COMMITTED (SQLite: serial), and commits if it succeeds. When the transaction loses to
    /// another one it is run again from the beginning, so `work` must have no effect but through the [`Tx`] it is given.
    pub async fn transact<T, F, Fut>(&self, label: &'static str, work: F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut run = 1;
        loop {
            // On the heap: a transaction's future is large, and would be part of that of everybody who has one.
            match IN_TRANSACTION.scope(label, Box::pin(self.run_once(&work))).await {
                Err(error) if error.is_conflict() && run < MAX_RUNS => {
                    tracing::debug!(label, run, "the transaction is run again");
                    let pause_ms = rand::random_range(1..=5_u64) << run.min(5);
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    run += 1;
                }
                outcome => {
                    if matches!(&outcome, Err(Error::Store(error)) if error.is_demotion()) {
                        self.demotion.notice();
                    }
                    return outcome;
                }
            }
        }
    }

    async fn run_once<T, F, Fut>(&self, work: &F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let options = match self.engine {
            Engine::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            // READ COMMITTED is set once for each connection: here it would be a round trip for each transaction.
            Engine::Postgres | Engine::MySql => TransactionOptions::default(),
        };
        let transaction = Arc::new(self.begin(options).await?);
        let appended = Arc::new(AtomicBool::new(false));
        let effects = Effects::default();
        let outcome = work(Tx {
            transaction: transaction.clone(),
            engine: self.engine,
            appended: appended.clone(),
            effects: effects.clone(),
        })
        .await;
        let transaction = Arc::try_unwrap(transaction)
            .map_err(|_| Error::Internal("a transaction's handle outlived its work".to_owned()))?;
        match outcome {
            Ok(value) => {
                transaction.commit().await?;
                // Before anybody is woken, who then finds it done.
                effects.perform();
                self.commits.send_modify(|count| *count += 1);
                if appended.load(Ordering::Relaxed) {
                    self.appended.notify_one();
                }
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = transaction.rollback().await {
                    tracing::warn!(
                        error = &rollback as &dyn std::error::Error,
                        "a rollback failed; the connection is dropped"
                    );
                }
                Err(error)
            }
        }
    }

    /// Begins a transaction on a connection that is alive. After a server was started again the idle ones are all dead, and each would
    /// fail one caller of whom nothing has been done yet. A server that has answered is not asked again: it may be full.
    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, StoreError> {
        let mut begun = self.write.begin_with_options(options).await.map_err(StoreError::from);
        for _ in 1..MAX_RUNS {
            match begun {
                Err(ref error) if error.is_dead_connection() => {
                    begun = self.write.begin_with_options(options).await.map_err(Into::into);
                }
                _ => break,
            }
        }
        begun
    }

    /// Resolves after a transaction that put an event into the outbox has committed; may resolve once too often.
    pub async fn outbox_appended(&self) {
        self.appended.notified().await;
    }

    /// Changes with every transaction that this process commits: what wakes those who watch a resource.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// How many watch for commits.
    pub fn watchers(&self) -> usize {
        self.commits.receiver_count()
    }

    /// Closes every connection; a SQLite file is left without a write-ahead log. Does not wait for ever for whoever still has one.
    pub async fn close(self) {
        for connection in [self.read, self.write] {
            match tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a database connection did not close cleanly"
                ),
                Err(_) => tracing::warn!("a database connection was not given back and is left open"),
            }
        }
    }
}

/// An open transaction. Deref gives sea-orm's, for use as its connection.
#[derive(Clone, Debug)]
pub struct Tx {
    transaction: Arc<DatabaseTransaction>,
    engine: Engine,
    appended: Arc<AtomicBool>,
    effects: Effects,
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl Tx {
    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Does `effect` once this transaction has committed, and before `transact` returns: for what no rollback takes back, like counting
    /// or waking somebody. Not at all if it does not commit; a run that lost leaves nothing to the next. May be skipped after a commit
    /// whose caller is gone, so nothing that must happen may hang on it.
    pub fn on_commit(&self, effect: impl FnOnce() + Send + 'static) {
        self.effects.add(Box::new(effect));
    }

    /// Remembers that this transaction put an event into the outbox, so that its commit wakes the relay.
    pub(crate) fn note_appended(&self) {
        self.appended.store(true, Ordering::Relaxed);
    }

    /// Inserts one row and tells whether it was new. On PostgreSQL and SQLite a duplicate is passed over by the statement itself;
    /// MySQL is asked by its error 1062, because its other ways either hide real errors or count found rows.
    #[expect(clippy::disallowed_methods, reason = "this is what the others call instead")]
    pub async fn insert_new<A>(&self, row: A) -> Result<bool, StoreError>
    where
        A: sea_orm::ActiveModelTrait,
    {
        use sea_orm::{EntityTrait, sea_query::OnConflict};
        match self.engine {
            Engine::MySql => match A::Entity::insert(row).exec_without_returning(&**self).await {
                Ok(_) => Ok(true),
                Err(error) => match StoreError::from(error) {
                    StoreError::Duplicate(_) => Ok(false),
                    other => Err(other),
                },
            },
            Engine::Sqlite | Engine::Postgres => {
                let mut nothing = OnConflict::new();
                nothing.do_nothing();
                match A::Entity::insert(row).on_conflict(nothing).exec_without_returning(&**self).await {
                    Ok(inserted) => Ok(inserted > 0),
                    Err(DbErr::RecordNotInserted) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

/// Fails unless exactly one row was updated: the heart of every conditional transition.
pub fn exactly_one(rows_affected: u64) -> Result<(), Error> {
    if rows_affected == 1 { Ok(()) } else { Err(Error::Lost) }
}

/// The elements of `wanted` that are not in `present`, in order.
pub fn missing<T: Clone + Eq + std::hash::Hash>(wanted: &[T], present: &HashSet<T>) -> Vec<T> {
    wanted.iter().filter(|item| !present.contains(item)).cloned().collect()
}

#[cfg(test)]
mod tests;
