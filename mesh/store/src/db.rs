//! A context's own database: any of PostgreSQL, MySQL/MariaDB and SQLite, chosen by its URL alone.
//!
//! These rules stand here so that no context has to remember them:
//! - a transaction that lost to another one is run again from its beginning, a bounded number of times;
//! - a transaction that needs no answer in between is [`Work`]: one round trip, where the engine can;
//! - nothing remote is awaited while a transaction is open ([`assert_no_transaction`]);
//! - on SQLite one connection writes (`BEGIN IMMEDIATE`) and the others read, because a deferred transaction that reads and then
//!   writes fails at once if another one has written in between.

mod acknowledged;
pub mod batch;
mod connect;
mod counts;
mod effects;
mod newest;
pub mod order;
mod settings;
mod transaction;
mod work;
mod write_ahead_log;

use std::{
    collections::HashSet,
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use mesh_foundation::{error::Error, in_transaction::within};
pub use mesh_foundation::{failure::StoreError, in_transaction::assert_no_transaction};
use sea_orm::{
    ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use uuid::Uuid;

pub use self::counts::Counts;
pub use self::newest::Kept;
pub use self::transaction::{Statements, Tx};
pub use self::work::{Short, Step, Work};
use self::{
    acknowledged::Acknowledged,
    connect::{
        Address, Distrust, beside_writer, connect_options, connection, migration_connection, readers, sqlite_file,
        to_read, to_write,
    },
    counts::Counter,
    transaction::{Ended, Run},
};

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a transaction that keeps losing is retried before its caller gets the error.
const MAX_RUNS: u32 = 10;
/// After this long a transaction is not retried any more: SQLite itself waits for a locked file at each attempt.
const MAX_RUN_TIME: Duration = Duration::from_secs(10);

/// The three kinds of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite: one host, one file.
    Sqlite,
    /// PostgreSQL and compatible databases.
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
    /// On a server.
    address: Option<Address>,
    /// In a SQLite file.
    file: Option<Arc<Path>>,
    /// The record of the newest acknowledged event of a SQLite database.
    acknowledged: Option<Arc<Acknowledged>>,
    distrust: Distrust,
    counter: Counter,
    appended: Arc<Notify>,
    commits: Arc<watch::Sender<u64>>,
}

impl Database {
    /// Opens the database at `url` (`sqlite://…`, `postgres://…`, `mysql://…`) with at most `max_connections` connections; a
    /// missing SQLite file is created.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            let options = connect_options(url, max_connections);
            return Self::open_sqlite(options, sqlite_file(url)?, SqliteSynchronous::Full, |sqlite| sqlite).await;
        }
        // A migrator has to renew its lease even while other connections read.
        let distrust = Distrust::of_a_server();
        let mut options = connect_options(url, max_connections.max(2));
        distrust.watch(&mut options);
        let write = connection(options).await?;
        let engine = write.get_database_backend().into();
        let address = Some(Address(url.into()));
        Ok(Self { address, distrust, ..Self::of(write.clone(), write, engine) })
    }

    /// Opens the SQLite database in the file at `path`.
    pub async fn open_file(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        let path = path.to_owned();
        // Not as a URL, in which some characters of a path have another meaning.
        let options = connect_options("sqlite:", max_connections);
        let file = path.clone();
        let name = move |sqlite: SqliteConnectOptions| sqlite.filename(&file);
        Self::open_sqlite(options, Some(path), SqliteSynchronous::Full, name).await
    }

    /// Opens the SQLite database in the file at `path` for what can be had again from elsewhere: after a power cut its last commits may be
    /// gone, one after another from the newest on, because a commit does not wait for the disk. What is there is whole, and nothing is lost
    /// when a process dies.
    pub async fn open_refillable(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let options = connect_options("sqlite:", max_connections);
        let file = path.clone();
        let name = move |sqlite: SqliteConnectOptions| sqlite.filename(&file);
        Self::open_sqlite(options, Some(path), SqliteSynchronous::Normal, name).await
    }

    async fn open_sqlite<F>(
        mut options: ConnectOptions,
        file: Option<PathBuf>,
        synchronous: SqliteSynchronous,
        name: F,
    ) -> Result<Self, StoreError>
    where
        F: Fn(SqliteConnectOptions) -> SqliteConnectOptions + Clone + Send + Sync + 'static,
    {
        let distrust = Distrust::of_a_file();
        let (mut writing, same) = (options.clone(), name.clone());
        writing
            .max_connections(1)
            .min_connections(1)
            .map_sqlx_sqlite_opts(move |sqlite| to_write(same(sqlite)).synchronous(synchronous));
        let readers = readers(options.get_max_connections());
        options.max_connections(readers).map_sqlx_sqlite_opts(move |sqlite| beside_writer(name(sqlite)));
        distrust.watch(&mut writing);
        let write = connection(writing).await?;
        let read = connection(options).await?;
        Ok(Self {
            acknowledged: file.as_deref().map(|file| Arc::new(Acknowledged::beside(file))),
            file: file.map(Arc::from),
            distrust,
            ..Self::of(write, read, Engine::Sqlite)
        })
    }

    fn of(mut write: DatabaseConnection, mut read: DatabaseConnection, engine: Engine) -> Self {
        let counter = Counter::default();
        counter.watch(&mut write);
        counter.watch(&mut read);
        Self {
            counter,
            write,
            read,
            engine,
            address: None,
            file: None,
            acknowledged: None,
            distrust: Distrust::of_a_server(),
            appended: Arc::default(),
            commits: Arc::default(),
        }
    }

    /// Opens the database at `url` for reading, with exactly one connection, so that a transaction begun on it includes every query. A
    /// SQLite file must exist.
    pub async fn connect_to_read(url: &str) -> Result<Self, StoreError> {
        let mut options = connect_options(url, 1);
        options.map_sqlx_sqlite_opts(to_read);
        let file = if url.starts_with("sqlite:") { sqlite_file(url)? } else { None };
        Self::open_to_read(options, file).await
    }

    /// Opens the SQLite database in the file at `path` for reading only, while another process may write it. The file must exist.
    pub async fn open_file_to_read(path: &Path, max_connections: u32) -> Result<Self, StoreError> {
        let file = path.to_owned();
        let path = path.to_owned();
        let mut options = connect_options("sqlite:", max_connections);
        options.map_sqlx_sqlite_opts(move |sqlite| to_read(sqlite.filename(&path)));
        Self::open_to_read(options, Some(file)).await
    }

    async fn open_to_read(options: ConnectOptions, file: Option<PathBuf>) -> Result<Self, StoreError> {
        let read = connection(options).await?;
        let engine = read.get_database_backend().into();
        Ok(Self { file: file.map(Arc::from), ..Self::of(read.clone(), read, engine) })
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// For queries outside any transaction. Sees committed data.
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
            Some(address) => migration_connection(&address.0).await,
            None => Err(StoreError::Other(DbErr::Custom("a file has only one writer".to_owned()))),
        }
    }

    /// The newest event that a SQLite database has acknowledged: it is in the outbox, unless the database has lost it. None for a server,
    /// whose durability is its own responsibility.
    pub fn acknowledged(&self) -> io::Result<Option<Uuid>> {
        self.file.as_deref().map_or(Ok(None), acknowledged::acknowledged)
    }

    /// The name of a SQLite database's file, without its folder; empty for a server.
    pub(crate) fn file_name(&self) -> String {
        let name = self.file.as_deref().and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Runs `work` in one transaction, READ COMMITTED (SQLite: serial), and commits if it succeeds. If the transaction loses to a
    /// concurrent one it is retried from the beginning, so `work` must have no effect but through its [`Tx`].
    ///
    /// After `Ok` the change is durable. After [`StoreError::CommitUnknown`] it may be durable or not, and a caller must assume neither.
    /// After any other error nothing has changed.
    pub async fn transact<T, F, Fut>(&self, label: &'static str, work: F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        // On the heap: a transaction's future is large, and would be part of the future of each caller.
        self.until_it_wins(label, || within(label, Box::pin(self.run_once(label, &work)))).await
    }

    /// Runs `once` again as long as it loses to another transaction, a bounded number of times.
    async fn until_it_wins<T, Fut>(&self, label: &'static str, once: impl Fn() -> Fut) -> Result<T, Error>
    where
        Fut: Future<Output = Result<T, Error>>,
    {
        let (mut run, began) = (1, Instant::now());
        loop {
            match once().await {
                Err(error) if error.is_conflict() && run < MAX_RUNS && began.elapsed() < MAX_RUN_TIME => {
                    tracing::debug!(label, run, "retrying the transaction");
                    let pause_ms = rand::random_range(1..=5_u64) << run.min(5);
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    run += 1;
                }
                outcome => {
                    if matches!(&outcome, Err(Error::Store(error)) if self.blames_connection(error)) {
                        self.distrust.notice();
                    }
                    return outcome;
                }
            }
        }
    }

    async fn run_once<T, F, Fut>(&self, label: &'static str, work: &F) -> Result<T, Error>
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
        let run = Run::of(self.begin(options).await?);
        let outcome = work(run.tx()).await;
        let run = run.end()?;
        match outcome {
            Ok(value) => {
                let (committed, ended) = run.commit().await;
                self.conclude(label, committed, &ended)?;
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = run.rollback().await {
                    self.ended_badly(label, &rollback);
                }
                Err(error)
            }
        }
    }

    /// What follows from how a transaction's commit has ended.
    fn conclude(&self, label: &'static str, committed: Result<(), StoreError>, ended: &Ended) -> Result<(), Error> {
        // Even if the outcome is unknown: a watcher that is woken without a cause checks and waits again.
        if ended.wakes_relay {
            self.appended.notify_one();
        }
        if let Err(error) = committed {
            // A server that says it has rolled back has ended the transaction, so its connection is safe to use.
            if self.engine == Engine::Sqlite || !matches!(error, StoreError::Conflict(_)) {
                self.ended_badly(label, &error);
            }
            self.commits.send_modify(|count| *count += 1);
            return Err(error.into());
        }
        self.counter.committed();
        if let (Some(acknowledged), Some(event)) = (&self.acknowledged, ended.appended) {
            acknowledged.write(event);
        }
        // Before the watchers are woken, so that they find it done.
        ended.effects.perform();
        self.commits.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Whether that failure may be caused by its connection. A file is quickly reopened, so it is reopened after each failure of the file.
    fn blames_connection(&self, error: &StoreError) -> bool {
        let is_of_the_file = |source: &DbErr| !matches!(source, DbErr::ConnectionAcquire(_));
        error.is_demotion()
            || self.engine == Engine::Sqlite
                && matches!(error, StoreError::Unavailable(source) if is_of_the_file(source))
    }

    /// If a COMMIT or ROLLBACK failed, the connection may still be inside the transaction. All further statements would be part of that
    /// transaction, and lost with it. So the connection is closed, and never used again.
    fn ended_badly(&self, label: &'static str, error: &StoreError) {
        self.distrust.notice();
        tracing::warn!(
            label,
            error = error as &dyn std::error::Error,
            "failed to end a transaction; its connection is closed"
        );
    }

    /// Begins a transaction on a live connection. After a server's restart all idle connections are dead, and each would fail one caller.
    /// If the server answers with an error, BEGIN is not retried: the server may be full.
    async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, StoreError> {
        let mut begun = self.begin_whole(options).await;
        for _ in 1..MAX_RUNS {
            match begun {
                Err(ref error) if error.is_dead_connection() => begun = self.begin_whole(options).await,
                _ => break,
            }
        }
        begun
    }

    /// Waits for the answer to BEGIN on a server even if the caller has gone. The driver counts a transaction only once BEGIN is answered:
    /// if the future were dropped before, the transaction would be open on a connection that looks idle. After the answer, dropping the
    /// counted transaction rolls it back. (SQLite's driver handles this by itself.)
    async fn begin_whole(&self, options: TransactionOptions) -> Result<DatabaseTransaction, StoreError> {
        if self.engine == Engine::Sqlite {
            return Ok(self.write.begin_with_options(options).await?);
        }
        let write = self.write.clone();
        let begun = tokio::spawn(async move { write.begin_with_options(options).await }).await;
        Ok(begun.map_err(|error| StoreError::Unavailable(DbErr::Custom(error.to_string())))??)
    }

    /// Resolves after a transaction that put an event into the outbox has committed; may resolve once too often.
    pub async fn outbox_appended(&self) {
        self.appended.notified().await;
    }

    /// Changes with every transaction that this process commits; wakes the watchers of resources.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// What this process has asked the database for so far.
    pub fn counts(&self) -> Counts {
        self.counter.so_far()
    }

    /// The number of watchers.
    pub fn watchers(&self) -> usize {
        self.commits.receiver_count()
    }

    /// Closes every connection; a SQLite file is left without a write-ahead log. Does not wait for ever for connections in use.
    pub async fn close(self) {
        for connection in [self.read, self.write] {
            match tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "failed to close a database connection cleanly"
                ),
                Err(_) => tracing::warn!("a database connection is still in use and is left open"),
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
