//! Databases for tests, on the engine that `JUMAK_TEST_ENGINE` names: `sqlite` (the default), `postgres` or `mariadb`. So one suite runs on
//! every engine.
//!
//! A test process starts at most one server, for its first database, and the server ends with the process.

use std::{collections::BTreeMap, sync::LazyLock};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{Durability, MariaDb, Postgres};

/// The environment variable that names the engine.
pub const VARIABLE: &str = "JUMAK_TEST_ENGINE";

/// How many requests may wait for the server. Only as many tests run at once as there are processors.
const MAX_REQUESTS: usize = 1_024;

/// An engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// A MariaDB server.
    MariaDb,
}

impl Engine {
    /// The engine that the environment names. An unknown name is an error, so that a typing error does not select the default.
    pub fn chosen() -> anyhow::Result<Self> {
        match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" | "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            "mariadb" => Ok(Self::MariaDb),
            other => anyhow::bail!("{VARIABLE} is {other:?}; use sqlite, postgres or mariadb"),
        }
    }

    /// The SQL that makes every `INSERT` into a table, or every `UPDATE` of it, fail.
    pub fn to_refuse(self, what: &str, table: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("CREATE TRIGGER refuse BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END")
            }
            Self::Postgres => format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
                 CREATE TRIGGER refuse BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
            ),
            Self::MariaDb => format!(
                "CREATE TRIGGER refuse BEFORE {what} ON {table} FOR EACH ROW \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'"
            ),
        }
    }

    /// The SQL that undoes [`to_refuse`](Self::to_refuse).
    pub fn to_refuse_no_more(self, table: &str) -> String {
        match self {
            Self::Sqlite | Self::MariaDb => "DROP TRIGGER refuse".to_owned(),
            Self::Postgres => format!("DROP TRIGGER refuse ON {table}"),
        }
    }
}

/// A new, empty database. It is removed when this is dropped.
#[derive(Debug)]
pub struct FreshDatabase {
    url: String,
    _storage: Storage,
}

#[derive(Debug)]
enum Storage {
    File { _folder: TempDir },
    OnServer { name: String },
}

impl FreshDatabase {
    /// A new database on the engine that the environment names.
    pub async fn new() -> anyhow::Result<Self> {
        if Engine::chosen()? == Engine::Sqlite {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}", folder.path().join("test.db").display());
            return Ok(Self { url, _storage: Storage::File { _folder: folder } });
        }
        let (answer, answered) = oneshot::channel();
        KEEPER.send(Request::Create(answer)).await.ok().context("the thread that keeps the server has ended")?;
        let (name, url) = answered.await.context("the thread that keeps the server has ended")??;
        Ok(Self { url, _storage: Storage::OnServer { name } })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if let Self::OnServer { name } = self {
            // If the queue is full, the database is removed with the server when the process ends.
            drop(KEEPER.try_send(Request::Remove(std::mem::take(name))));
        }
    }
}

/// Databases by name. Each is made when its name is first used.
#[derive(Debug, Default)]
pub struct Databases(Mutex<BTreeMap<String, FreshDatabase>>);

impl Databases {
    /// No databases.
    pub fn new() -> Self {
        Self::default()
    }

    /// The URL of the database with that name.
    pub async fn url(&self, name: &str) -> anyhow::Result<String> {
        let mut databases = self.0.lock().await;
        if let Some(database) = databases.get(name) {
            return Ok(database.url.clone());
        }
        let database = FreshDatabase::new().await?;
        let url = database.url.clone();
        databases.insert(name.to_owned(), database);
        Ok(url)
    }
}

enum Request {
    /// Asks for a new database. The answer is its name and its URL.
    Create(oneshot::Sender<anyhow::Result<(String, String)>>),
    Remove(String),
}

/// Sends requests to the thread that keeps the server. It has a runtime of its own, because a test's runtime ends with the test.
static KEEPER: LazyLock<mpsc::Sender<Request>> = LazyLock::new(|| {
    let (requests, queue) = mpsc::channel(MAX_REQUESTS);
    std::thread::spawn(|| match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(keep(queue)),
        Err(error) => note(format_args!("failed to start a runtime for the tests' server: {error}")),
    });
    requests
});

async fn keep(mut requests: mpsc::Receiver<Request>) {
    let server = Running::start().await;
    let mut made = 0;
    while let Some(request) = requests.recv().await {
        match (request, &server) {
            (Request::Create(answer), Ok(server)) => {
                made += 1;
                let name = format!("test{made}");
                let created = server.create(&name).await.map(|()| (name.clone(), server.url(&name)));
                drop(answer.send(created));
            }
            (Request::Create(answer), Err(error)) => drop(answer.send(Err(anyhow::anyhow!("{error:#}")))),
            (Request::Remove(name), Ok(server)) => server.remove(&name).await,
            (Request::Remove(_), Err(_)) => {}
        }
    }
}

enum Running {
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Running {
    async fn start() -> anyhow::Result<Self> {
        match Engine::chosen()? {
            Engine::Postgres => Ok(Self::Postgres(Postgres::start(Durability::Off).await?)),
            Engine::MariaDb => Ok(Self::MariaDb(MariaDb::start(Durability::Off).await?)),
            Engine::Sqlite => anyhow::bail!("SQLite has no server"),
        }
    }

    fn url(&self, name: &str) -> String {
        match self {
            Self::Postgres(server) => format!("{}?options%5Bsearch_path%5D={name}", server.url("postgres")),
            Self::MariaDb(server) => server.url(name),
        }
    }

    /// On PostgreSQL a schema takes the place of a database: making a database copies megabytes, and a client sees no difference.
    async fn create(&self, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Postgres(server) => server.execute(&format!("CREATE SCHEMA {name}")).await,
            Self::MariaDb(server) => server.create_database(name).await,
        }
    }

    async fn remove(&self, name: &str) {
        let removed = match self {
            Self::Postgres(server) => {
                server.execute(&format!("SET lock_timeout = '1s'; DROP SCHEMA {name} CASCADE")).await
            }
            Self::MariaDb(server) => server.drop_database(name).await,
        };
        // A database that stays only takes up space until the process ends.
        if let Err(error) = removed {
            note(format_args!("failed to remove the database {name}: {error:#}"));
        }
    }
}

/// Prints to standard error.
fn note(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "{text}"));
}
