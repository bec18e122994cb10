//! A PostgreSQL server.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::{
    database::{Durability, LOOK, PATIENCE, name_is_plain},
    home::Home,
    process::{self, Server, Start, free_port, is_root},
};

/// The owner of the databases, and the system user as whom the server runs if this process is root.
pub(crate) const USER: &str = "jumak";
pub(crate) const SYSTEM_USER: &str = "postgres";
/// Debian's folders, newest first. They are not on the PATH.
pub(crate) const FOLDERS: [&str; 4] = [
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
];

/// The authentication method. The default, SCRAM, costs a debug build a tenth of a second for each connection. Tests make thousands of
/// connections to short-lived servers on loopback, so they use a faster method.
const fn authentication(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "scram-sha-256",
        Durability::Off => "password",
    }
}

/// A PostgreSQL server. Its settings are unusual, so that tests find code that depends on a default: a time zone with odd minutes, a text
/// order that is not the order of bytes, and another isolation level.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    password: String,
    home: Home,
}

impl Postgres {
    /// Makes a cluster, starts it, and waits until it accepts connections.
    pub async fn start(durability: Durability) -> anyhow::Result<Self> {
        let home = Home::new(SYSTEM_USER)?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let password_file = home.write("password", SYSTEM_USER, &password)?;
        let data = home.join("data");
        let make = [
            format!("--pgdata={}", data.display()),
            format!("--username={USER}"),
            format!("--pwfile={}", password_file.display()),
            format!("--auth={}", authentication(durability)),
            "--encoding=UTF8".to_owned(),
            "--locale-provider=icu".to_owned(),
            "--icu-locale=en".to_owned(),
            "--locale=C.UTF-8".to_owned(),
            "--no-sync".to_owned(),
        ];
        home.run(SYSTEM_USER, &process::program("initdb", &FOLDERS)?, &make).await?;

        let port = free_port()?;
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("port={port}"),
            "max_connections=300".to_owned(),
            "timezone=Asia/Kathmandu".to_owned(),
            "default_transaction_isolation=repeatable read".to_owned(),
        ];
        if durability == Durability::Off {
            settings.extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off"].map(str::to_owned));
        }
        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        let server = Server::start(Start {
            name: "PostgreSQL",
            program: process::program("postgres", &FOLDERS)?,
            arguments,
            user: is_root().then_some(SYSTEM_USER),
            log: home.join("log"),
            address: ([127, 0, 0, 1], port).into(),
            // An immediate shutdown: it ends its child processes and does not wait for clients.
            stop_signal: "QUIT",
        })
        .await?;
        let postgres = Self { server, password, home };
        postgres.lets_us_in().await?;
        Ok(postgres)
    }

    /// Waits until it accepts connections. During recovery it listens, but refuses them.
    async fn lets_us_in(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.connect().await {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) if Instant::now() > deadline => {
                    return Err(error)
                        .with_context(|| format!("PostgreSQL accepts no connections: {}", self.server.said()));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<PgConnection> {
        let url = self.url("postgres");
        // A paused server accepts the connection but does not answer.
        let connected = tokio::time::timeout(Duration::from_secs(10), PgConnection::connect(&url)).await;
        Ok(connected.context("PostgreSQL does not answer")??)
    }

    /// The folder with its data and its log.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The address on which it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// The password of its owner.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The URL of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@{}/{database}", self.password, self.server.address())
    }

    /// Adds an empty database.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<()> {
        self.execute(&format!("CREATE DATABASE {}", name_is_plain(name)?)).await
    }

    /// Removes a database and ends its connections.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.execute(&format!("DROP DATABASE {} WITH (FORCE)", name_is_plain(name)?)).await
    }

    /// Executes a statement as the server's owner, on a new connection.
    pub async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        Ok(connection.close().await?)
    }

    /// Ends every other connection, as an operator would.
    pub async fn kill_connections(&self) -> anyhow::Result<()> {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        .await
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and data.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // The killed server's child processes keep its shared memory until they notice that it has ended.
        while let Err(error) = self.server.start_again().await {
            if Instant::now() > deadline {
                return Err(error);
            }
            tokio::time::sleep(LOOK).await;
        }
        self.lets_us_in().await
    }

    /// Suspends it. Its clients get no answer and no error.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.server.pause()
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.server.resume()
    }
}
