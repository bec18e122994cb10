//! Databases for tests, on the engine that `JUMAK_TEST_ENGINE` names: `sqlite` (unless it is set), `postgres` or `mariadb`. So each
//! suite says what it expects once, and every engine has to live up to it.
//!
//! A test process starts at most one server, when the first database is asked for, and the server ends with the process.

use std::{collections::BTreeMap, sync::LazyLock};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{Durability, MariaDb, Postgres};

/// Names the engine, in the environment.
pub const VARIABLE: &str = "JUMAK_TEST_ENGINE";

/// How many wishes wait for the server. Tests that run at once are as few as processors.
const MAX_WISHES: usize = 1_024;

/// An engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// A MariaDB server.
    MariaDb,
}

impl Engine {
    /// The one that the environment names. Fails on a name that stands for none, which must not pass for the usual one.
    pub fn chosen() -> anyhow::Result<Self> {
        match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" | "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            "mariadb" => Ok(Self::MariaDb),
            other => anyhow::bail!("{VARIABLE} is {other:?}; there are sqlite, postgres and mariadb"),
        }
    }

    /// What makes every `INSERT` into a table, or every `UPDATE` of it, fail from now on.
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

    /// What ends that.
    pub fn to_refuse_no_more(self, table: &str) -> String {
        match self {
            Self::Sqlite | Self::MariaDb => "DROP TRIGGER refuse".to_owned(),
            Self::Postgres => format!("DROP TRIGGER refuse ON {table}"),
        }
    }
}

/// A database that nobody has used before, empty, and gone when this is dropped.
#[derive(Debug)]
pub struct FreshDatabase {
    url: String,
    _kept: Kept,
}

#[derive(Debug)]
enum Kept {
    File { _folder: TempDir },
    OnServer { name: String },
}

impl FreshDatabase {
    /// A new one, on the engine that the environment names.
    pub async fn new() -> anyhow::Result<Self> {
        if Engine::chosen()? == Engine::Sqlite {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}", folder.path().join("test.db").display());
            return Ok(Self { url, _kept: Kept::File { _folder: folder } });
        }
        let (answer, answered) = oneshot::channel();
        CLERK.send(Wish::Create(answer)).await.ok().context("the thread that keeps the server is gone")?;
        let (name, url) = answered.await.context("the thread that keeps the server is gone")??;
        Ok(Self { url, _kept: Kept::OnServer { name } })
    }

    /// Where one connects to.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Self::OnServer { name } = self {
            // A wish that finds no room is no loss: the whole server goes with the process.
            drop(CLERK.try_send(Wish::Remove(std::mem::take(name))));
        }
    }
}

/// Databases by name, each made when its name is first heard.
#[derive(Debug, Default)]
pub struct Databases(Mutex<BTreeMap<String, FreshDatabase>>);

impl Databases {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where one connects to the database of that name.
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

enum Wish {
    /// Answered with a new database's name and its URL.
    Create(oneshot::Sender<anyhow::Result<(String, String)>>),
    Remove(String),
}

/// Whoever keeps the server has a thread and a runtime of its own: each test has a runtime that ends with it.
static CLERK: LazyLock<mpsc::Sender<Wish>> = LazyLock::new(|| {
    let (wishes, queue) = mpsc::channel(MAX_WISHES);
    std::thread::spawn(|| match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(keep(queue)),
        Err(error) => note(format_args!("no runtime for the server of the tests: {error}")),
    });
    wishes
});

async fn keep(mut wishes: mpsc::Receiver<Wish>) {
    let server = Running::start().await;
    let mut made = 0;
    while let Some(wish) = wishes.recv().await {
        match (wish, &server) {
            (Wish::Create(answer), Ok(server)) => {
                made += 1;
                let name = format!("test{made}");
                let created = server.create(&name).await.map(|()| (name.clone(), server.url(&name)));
                drop(answer.send(created));
            }
            (Wish::Create(answer), Err(error)) => drop(answer.send(Err(anyhow::anyhow!("{error:#}")))),
            (Wish::Remove(name), Ok(server)) => server.remove(&name).await,
            (Wish::Remove(_), Err(_)) => {}
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

    /// PostgreSQL copies megabytes for a database, and adds a schema at once: to whoever connects it is the same.
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
        // It takes up room until the process ends, and no more.
        if let Err(error) = removed {
            note(format_args!("the database {name} stays: {error:#}"));
        }
    }
}

/// Tells whoever watches the tests, if somebody does.
fn note(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "{text}"));
}
