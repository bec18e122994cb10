//! A booking's SQL on PostgreSQL, replayed by pgbench: what the database alone could do.
//!
//! It runs in a database of its own that is dropped afterwards, with one schema per context, each made by the context's own
//! migrations. pgbench numbers the bookings of each of its clients; ids, names and dates are computed from that number by the server,
//! which costs it less than sending them.

use std::{fmt::Write as _, process::Command, str::FromStr as _, time::Duration};

use anyhow::Context as _;
use mesh::Database;
use sea_orm::{
    ConnectionTrait,
    sqlx::postgres::{PgConnectOptions, PgSslMode},
};
use tempfile::NamedTempFile;
use url::Url;
use uuid::Uuid;

use super::Pressure;
use crate::{
    bench::{
        child,
        replay::{
            self, Locking,
            holes::{EPOCH_MICROS, FIRST_NIGHT, GUESTS, Hole, NIGHTS, ROOMS, STAYS},
            seed::seed,
            statements::BOOKING,
        },
    },
    cli::output,
    house::Member,
};

/// Its name in reports.
pub const NAME: &str = "postgres";
/// The contexts whose part of a booking is replayed.
const CONTEXTS: [Member; 4] = [Member::ROOM, Member::RESERVATION, Member::PAYMENT, Member::MYPAGE];
/// What pgbench may take besides the time it is told to measure.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between the numbers of two clients, and so more bookings than one of them makes.
const PER_CLIENT: u64 = 1_000_000_000;
/// Between the numbers of two measurements.
const PER_ROUND: u64 = PER_CLIENT * 10_000;

/// The scratch database and the script.
#[derive(Debug)]
pub struct Pgbench {
    server: Url,
    database: String,
    script: NamedTempFile,
    rounds: u64,
}

impl Pgbench {
    /// Makes the scratch database on the server at `url`, whose role must be allowed to.
    pub async fn prepare(url: &str) -> anyhow::Result<Self> {
        child::output(Command::new("pgbench").arg("--version"), PATIENCE)
            .await
            .context("pgbench is not there; it comes with PostgreSQL")?;
        // What is wrong with a URL is not repeated: it holds a password.
        let server = Url::parse(url).ok().filter(|url| url.scheme().starts_with("postgres") && url.has_host());
        let server =
            server.context("what --postgres names is no URL, as in postgres://user:password@127.0.0.1/postgres")?;
        let database = format!("jumak_bench_{:08x}", Uuid::new_v4().as_fields().0);
        let mut script = NamedTempFile::new()?;
        std::io::Write::write_all(&mut script, text()?.as_bytes())?;
        let this = Self { server, database, script, rounds: 0 };
        this.on_server(&format!("CREATE DATABASE {}", this.database)).await.context("no scratch database was made")?;
        if let Err(error) = this.fill().await {
            this.clear().await;
            return Err(error.context("the scratch database was not filled"));
        }
        Ok(this)
    }

    async fn fill(&self) -> anyhow::Result<()> {
        for member in CONTEXTS {
            let context = member.name();
            let mut url = self.server.clone();
            url.set_path(&self.database);
            let database = Database::connect(url.as_str(), 1).await?;
            database.for_migrations().execute_unprepared(&format!("CREATE SCHEMA {context}")).await?;
            database.close().await;
            url.query_pairs_mut().append_pair("options[search_path]", context);
            let database = Database::connect(url.as_str(), 1).await?;
            member.schema.migrate(&database).await?;
            let rows = seed(
                context,
                str::to_owned,
                |id| format!("'{id:032x}'"),
                |bytes| format!("'\\x{}'", "ab".repeat(bytes)),
            )?;
            for statement in rows {
                database.for_migrations().execute_unprepared(&statement).await?;
            }
            database.close().await;
        }
        Ok(())
    }

    async fn on_server(&self, statement: &str) -> anyhow::Result<()> {
        let database = Database::connect(self.server.as_str(), 1).await?;
        let done = database.for_migrations().execute_unprepared(statement).await;
        database.close().await;
        done?;
        Ok(())
    }

    /// What it is.
    pub fn what(&self) -> String {
        format!(
            "pgbench -M prepared, the {} statements and {} commits of a booking on one PostgreSQL, as many clients",
            replay::statements(),
            replay::transactions(),
        )
    }

    /// Bookings per second.
    pub async fn measure(&mut self, pressure: Pressure) -> anyhow::Result<f64> {
        let options =
            PgConnectOptions::from_str(self.server.as_str()).map_err(|_| anyhow::anyhow!("the URL cannot be read"))?;
        let seconds = pressure.duration.as_secs().max(1);
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--file"])
            .arg(self.script.path())
            .args(["--client", &pressure.clients.to_string(), "--jobs", &jobs(pressure.clients).to_string()])
            .args(["--time", &seconds.to_string()])
            .args(["--define", "seq=0", "--define", &format!("base={}", self.rounds * PER_ROUND)])
            .args(["--host", options.get_host(), "--port", &options.get_port().to_string()])
            .args(["--username", options.get_username(), &self.database])
            // In the environment: whoever lists processes sees arguments.
            .env("PGPASSWORD", percent_decoded(self.server.password().unwrap_or_default()))
            // As every connection of ours is told once, whatever the server's own settings are.
            .env("PGOPTIONS", r"-c default_transaction_isolation=read\ committed")
            .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()));
        self.rounds += 1;
        let said = child::output(&mut command, Duration::from_secs(seconds) + PATIENCE).await?;
        tps(&said).with_context(|| format!("pgbench did not say how fast it was: {said}"))
    }

    /// Drops the scratch database.
    pub async fn clear(self) {
        if let Err(error) = self.on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.database)).await {
            output::note(format_args!("the scratch database {} was not dropped: {error:#}", self.database));
        }
    }
}

/// Threads of pgbench for so many clients: no more than there are cores.
fn jobs(clients: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(clients)
}

fn tps(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with("tps = "))?;
    line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok()
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

/// A part of a URL as it was meant.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).map(|(name, _)| name).collect()
}

/// The script of one booking, each statement with what it is for.
pub fn text() -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "-- One booking, as jumak runs it. `seq` and `base` are given with --define.")?;
    writeln!(text, "\\set seq :seq + 1")?;
    writeln!(text, "\\set n :base + :client_id * {PER_CLIENT} + :seq")?;
    // Each client begins elsewhere, so that no two of them meet in a room or at a guest.
    writeln!(text, "\\set room (:n + :client_id) % {ROOMS}")?;
    writeln!(text, "\\set guest (:n + :client_id * 61) % {GUESTS}")?;
    writeln!(text, "\\set first (:n / {ROOMS}) % {STAYS} * {NIGHTS}")?;
    writeln!(text, "\\set last :first + {NIGHTS}")?;
    for part in BOOKING {
        writeln!(text, "\n-- {}: {}", part.context, part.does)?;
        if part.is_transaction {
            writeln!(text, "BEGIN;")?;
        }
        for statement in part.statements {
            let rendered =
                replay::render(statement.sql, |table| format!("\"{}\".\"{table}\"", part.context), expression)?;
            let suffix = if statement.locking == Locking::None { "" } else { " FOR UPDATE" };
            writeln!(text, "-- {}\n{}{suffix};", statement.does, rendered.sql)?;
        }
        if part.is_transaction {
            writeln!(text, "COMMIT;")?;
        }
    }
    Ok(text)
}

/// A value as PostgreSQL computes it from the booking's number.
fn expression(hole: Hole) -> String {
    let id = |high: &str, low: u64| format!("(lpad(to_hex({high}::bigint), 16, '0') || '{low:016x}')::uuid");
    let night = |days: &str| format!("(date '{FIRST_NIGHT}' + {days}::int)::text");
    match hole {
        Hole::Id(what) => id(":n", what as u64),
        Hole::Room => "(lpad(to_hex(:room::bigint), 32, '0'))::uuid".to_owned(),
        Hole::Name(kind, what) => format!("('{kind}/' || {}::text)", id(":n", what as u64)),
        Hole::Text(what) => format!("({}::text)", id(":n", what as u64)),
        Hole::Guest => "('users/guest-' || :guest::text)".to_owned(),
        Hole::Host => "('users/host-' || :room::text)".to_owned(),
        Hole::CheckIn => night(":first"),
        Hole::CheckOut => night(":last"),
        Hole::Now => format!("({EPOCH_MICROS} + :n::bigint)"),
        Hole::Bytes(bytes) => format!("'\\x{}'::bytea", "ab".repeat(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_script_is_explained_and_every_transaction_ends() {
        let text = text().unwrap();
        assert!(!text.contains('@') && !text.contains('{'), "something was not filled in:\n{text}");
        let count = |line: &str| text.lines().filter(|candidate| *candidate == line).count();
        assert_eq!((count("BEGIN;"), count("COMMIT;")), (replay::transactions(), replay::transactions()));
        let lines: Vec<&str> = text.lines().collect();
        let unexplained: Vec<_> = lines
            .windows(2)
            .filter(|pair| ["SELECT", "INSERT", "UPDATE"].iter().any(|verb| pair[1].starts_with(verb)))
            .filter(|pair| !pair[0].starts_with("-- "))
            .collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
        assert_eq!(text.matches(" FOR UPDATE;").count(), 4, "the guest, the nights, and the payment twice");
    }

    #[test]
    fn pgbenchs_own_figure_is_read() {
        let said = "number of failed transactions: 0 (0.000%)\nlatency average = 3.9 ms\ninitial connection time = 9.1 ms\ntps = 4012.345 (without initial connection time)\n";
        assert_eq!(tps(said), Some(4_012.345));
        assert_eq!(tps("pgbench: error"), None);
    }

    #[test]
    fn a_password_is_given_as_it_was_meant() {
        let url = Url::parse("postgres://u:p%40ss+w%26rd%3D@127.0.0.1/x").unwrap();
        assert_eq!(percent_decoded(url.password().unwrap()), "p@ss+w&rd=");
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_not_repeated() {
        let refusal = Pgbench::prepare("mysql://u:s3cret@127.0.0.1/x").await.unwrap_err();
        assert!(!format!("{refusal:?}").contains("s3cret"));
    }
}
