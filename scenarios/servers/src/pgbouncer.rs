//! PgBouncer in front of a PostgreSQL server.

use std::process::Command;

use anyhow::Context as _;

use crate::{
    home::Home,
    postgres::{FOLDERS, Postgres, SYSTEM_USER, USER},
    process::{self, Server, Start, free_port, is_root},
};

/// How a pooler assigns server connections to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// To one client for its whole session.
    Session,
    /// To one client for one transaction.
    Transaction,
}

/// A pooler that discards the session settings of its clients, and does not support prepared statements.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server,
    // Dropped last, because it contains the configuration.
    _home: Home,
}

impl PgBouncer {
    /// Starts it in front of `postgres`.
    pub async fn start(postgres: &Postgres, mode: PoolMode) -> anyhow::Result<Self> {
        let home = Home::new(SYSTEM_USER)?;
        let program = process::program("pgbouncer", &FOLDERS)?;
        let port = free_port()?;
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        // Versions from 1.21 on support prepared statements, and later ones enable them by default.
        let prepared = if knows_prepared_statements(&program)? { "max_prepared_statements = 0\n" } else { "" };
        let (address, password) = (postgres.address(), postgres.password());
        let configuration = format!(
            "[databases]\n\
             * = host={} port={} user={USER} password={password}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = {mode}\n\
             ignore_startup_parameters = extra_float_digits, options\n\
             {prepared}",
            address.ip(),
            address.port(),
        );
        let configuration = home.write("pgbouncer.ini", SYSTEM_USER, &configuration)?;
        let server = Server::start(Start {
            name: "PgBouncer",
            program,
            arguments: vec![configuration.display().to_string()],
            user: is_root().then_some(SYSTEM_USER),
            log: home.join("log"),
            address: ([127, 0, 0, 1], port).into(),
            stop_signal: "TERM",
        })
        .await?;
        Ok(Self { server, _home: home })
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}", self.server.address())
    }
}

fn knows_prepared_statements(program: &std::path::Path) -> anyhow::Result<bool> {
    let said = Command::new(program).arg("--version").output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = said.split_whitespace().nth(1).with_context(|| format!("PgBouncer printed no version: {said}"))?;
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    Ok((parts.next(), parts.next()) >= (Some(1), Some(21)))
}
