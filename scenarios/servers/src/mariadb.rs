//! A MariaDB server.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row};

use crate::{
    database::{Durability, LOOK, PATIENCE, name_is_plain},
    home::Home,
    process::{self, Server, Start, free_port, is_root},
};

/// The owner of the databases, and the system user as whom the server runs if this process is root.
const USER: &str = "jumak";
const SYSTEM_USER: &str = "mysql";
/// Folders that may not be on the PATH.
const FOLDERS: [&str; 1] = ["/usr/sbin"];

/// How much space its tables may take up.
#[derive(Clone, Copy, Debug)]
enum Room {
    Plenty,
    Tight,
}

/// The database that takes up the free space while the server is full.
const BALLAST: &str = "ballast";
/// How much the tables may still grow before the server is full, in bytes.
const HEADROOM: u64 = 32 << 20;
/// The sizes of the rows that fill the space: large ones first, and then smaller ones for the gaps.
const PIECES: [usize; 3] = [1 << 20, 64 << 10, 4 << 10];

/// A MariaDB server. Its settings are unusual, so that tests find code that depends on a default: a time zone with odd minutes, a mode
/// that truncates values, and the default latin1 text, which ignores case.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
    password: String,
    home: Home,
}

impl MariaDb {
    /// Makes a data folder, starts the server on it, and waits until it accepts connections.
    pub async fn start(durability: Durability) -> anyhow::Result<Self> {
        Self::start_with(durability, Room::Plenty).await
    }

    /// The same with so little space that [`fill`](Self::fill) is fast.
    pub async fn start_tight(durability: Durability) -> anyhow::Result<Self> {
        Self::start_with(durability, Room::Tight).await
    }

    async fn start_with(durability: Durability, room: Room) -> anyhow::Result<Self> {
        let home = Home::new(SYSTEM_USER)?;
        let data = home.join("data");
        // Not the shared temporary folder: at its start, each server would remove other servers' files there.
        let temporary = format!("--tmpdir={}", home.path().display());
        let make = [
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            temporary.clone(),
            "--auth-root-authentication-method=socket".to_owned(),
            "--skip-test-db".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--innodb-flush-method=nosync".to_owned(),
        ];
        home.run(SYSTEM_USER, &process::program("mariadb-install-db", &FOLDERS)?, &make).await?;

        let password = uuid::Uuid::new_v4().simple().to_string();
        let user = format!(
            "CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        let at_start = home.write("user.sql", SYSTEM_USER, &user)?;
        let port = free_port()?;
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            temporary,
            format!("--init-file={}", at_start.display()),
            format!("--socket={}", home.join("socket").display()),
            format!("--pid-file={}", home.join("pid").display()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={port}"),
            "--skip-name-resolve".to_owned(),
            "--max-connections=300".to_owned(),
            "--innodb-buffer-pool-size=64M".to_owned(),
            "--default-time-zone=+05:45".to_owned(),
            "--sql-mode=".to_owned(),
        ];
        let mut program = process::program("mariadbd", &FOLDERS)?;
        if let Room::Tight = room {
            // All tables are in one file. When that file reaches its size limit, the server must not end.
            arguments.extend(
                ["--innodb-file-per-table=OFF", "--innodb-log-file-size=4M", "--innodb-autoextend-increment=8"]
                    .map(str::to_owned),
            );
            let wrapped = [String::from("--ignore-signal=XFSZ"), program.display().to_string()];
            arguments.splice(0..0, wrapped);
            program = process::program("env", &FOLDERS)?;
        }
        if durability == Durability::Off {
            arguments.extend(
                ["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
                    .map(str::to_owned),
            );
        }
        let server = Server::start(Start {
            name: "MariaDB",
            program,
            arguments,
            user: is_root().then_some(SYSTEM_USER),
            log: home.join("log"),
            address: ([127, 0, 0, 1], port).into(),
            // Its data is thrown away, so it need not shut down in order.
            stop_signal: "KILL",
        })
        .await?;
        let mariadb = Self { server, password, home };
        mariadb.lets_us_in().await?;
        Ok(mariadb)
    }

    async fn lets_us_in(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.connect().await {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) if Instant::now() > deadline => {
                    return Err(error)
                        .with_context(|| format!("MariaDB accepts no connections: {}", self.server.said()));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<MySqlConnection> {
        let url = self.url("mysql");
        // A paused server accepts the connection but does not answer.
        let connected = tokio::time::timeout(Duration::from_secs(10), MySqlConnection::connect(&url)).await;
        Ok(connected.context("MariaDB does not answer")??)
    }

    /// The folder with its data and its log.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The URL of a database, with the password.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://{USER}:{}@{}/{database}", self.password, self.server.address())
    }

    /// Adds an empty database.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<()> {
        self.execute(&format!("CREATE DATABASE {}", name_is_plain(name)?)).await
    }

    /// Removes a database. Fails if a transaction is still open in it.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        connection.execute("SET SESSION lock_wait_timeout = 1").await?;
        connection.execute(AssertSqlSafe(format!("DROP DATABASE {}", name_is_plain(name)?))).await?;
        Ok(connection.close().await?)
    }

    /// Executes a statement as the server's owner, on a new connection.
    pub async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        Ok(connection.close().await?)
    }

    /// Limits the tables' size and fills the free space, like other users of a shared disk. Only for a server that was
    /// [started with little space](Self::start_tight).
    pub async fn fill(&self) -> anyhow::Result<()> {
        self.create_database(BALLAST).await?;
        self.execute(&format!("CREATE TABLE {BALLAST}.piece (bytes LONGBLOB NOT NULL)")).await?;
        let tables = std::fs::metadata(self.home.join("data").join("ibdata1"))?;
        // The limit is above the current size, because a server that cannot write to its existing file aborts.
        self.may_write_up_to(&(tables.len() + HEADROOM).to_string()).await?;
        let mut connection = self.connect().await?;
        for bytes in PIECES {
            let put = format!("INSERT INTO {BALLAST}.piece VALUES (REPEAT('x', {bytes}))");
            loop {
                match connection.execute(AssertSqlSafe(put.as_str())).await {
                    Ok(_) => {}
                    Err(error) if number(&error) == Some(TABLE_IS_FULL) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(connection.close().await?)
    }

    /// Ends [`fill`](Self::fill).
    pub async fn make_room(&self) -> anyhow::Result<()> {
        self.may_write_up_to("unlimited").await
    }

    /// Sets the size limit of its files, in bytes.
    async fn may_write_up_to(&self, bytes: &str) -> anyhow::Result<()> {
        let limit = [format!("--pid={}", self.server.id()?), format!("--fsize={bytes}:unlimited")];
        self.home.run(SYSTEM_USER, &process::program("prlimit", &FOLDERS)?, &limit).await
    }

    /// Ends every other connection, as an operator would.
    pub async fn kill_connections(&self) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let others = "SELECT id FROM information_schema.processlist WHERE user = 'jumak' AND id <> connection_id()";
        for row in connection.fetch_all(others).await? {
            let id: i64 = row.try_get(0)?;
            match connection.execute(AssertSqlSafe(format!("KILL CONNECTION {id}"))).await {
                Err(error) if !is_gone(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(connection.close().await?)
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and data.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server.start_again().await?;
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

/// The server's error number when a table cannot grow.
const TABLE_IS_FULL: u16 = 1114;

/// Whether the connection to kill had already ended.
fn is_gone(error: &sea_orm::sqlx::Error) -> bool {
    const NO_SUCH_THREAD: u16 = 1094;
    number(error) == Some(NO_SUCH_THREAD)
}

fn number(error: &sea_orm::sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<sea_orm::SqlxMySqlError>()?;
    Some(error.number())
}
