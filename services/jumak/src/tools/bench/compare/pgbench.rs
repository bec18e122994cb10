//! The yardstick on PostgreSQL, driven by pgbench: what the database alone makes of the facts of a booking.
//!
//! It runs in a database of its own that is dropped afterwards. pgbench numbers the bookings of each of its clients; ids and names are
//! computed from that number by the server, which costs it less than sending them.

use std::{fmt::Write as _, io::Write as _, process::Command, str::FromStr as _, time::Duration};

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
        yardstick::{
            self, BEFORE, GUESTS, Hole, NIGHTS, POSTGRES, POSTGRES_BEST, ROOMS, STAYS, Way, render, statements,
        },
    },
    cli::output,
};

/// What pgbench may take besides the time it is told to measure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between the numbers of two clients, and so more bookings than one of them makes.
const PER_CLIENT: u64 = 1_000_000_000;
/// Between the numbers of two measurements.
const PER_ROUND: u64 = PER_CLIENT * 10_000;
/// Clients that make what is there before.
const SEEDING: u64 = 8;

/// Its name in reports.
pub const fn name(way: Way) -> &'static str {
    match way {
        Way::Plain => "postgres",
        Way::Best => "postgres-best",
    }
}

/// The scratch database and the script.
#[derive(Debug)]
pub struct Pgbench {
    server: Url,
    database: String,
    way: Way,
    script: NamedTempFile,
    rounds: u64,
}

impl Pgbench {
    /// Makes the scratch database on the server at `url`, whose role must be allowed to.
    pub async fn prepare(url: &str, way: Way) -> anyhow::Result<Self> {
        child::output(Command::new("pgbench").arg("--version"), PATIENCE)
            .await
            .context("pgbench is not there; it comes with PostgreSQL")?;
        // What is wrong with a URL is not repeated: it holds a password.
        let server = Url::parse(url).ok().filter(|url| url.scheme().starts_with("postgres") && url.has_host());
        let server =
            server.context("what --postgres names is no URL, as in postgres://user:password@127.0.0.1/postgres")?;
        let database = format!("jumak_bench_{:08x}", Uuid::new_v4().as_fields().0);
        let mut script = NamedTempFile::new()?;
        script.write_all(text(way)?.as_bytes())?;
        let mut this = Self { server, database, way, script, rounds: 0 };
        this.on_server(&format!("CREATE DATABASE {}", this.database)).await.context("no scratch database was made")?;
        if let Err(error) = this.fill().await {
            this.clear().await;
            return Err(error.context("the scratch database was not filled"));
        }
        Ok(this)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        let mut url = self.server.clone();
        url.set_path(&self.database);
        let database = Database::connect(url.as_str(), 1).await?;
        for statement in statements(POSTGRES).0 {
            database.for_migrations().execute_unprepared(&statement).await?;
        }
        database.close().await;
        let each = (BEFORE / SEEDING).to_string();
        self.run(&["--transactions", &each], SEEDING as usize, "-c synchronous_commit=off", PATIENCE).await?;
        Ok(())
    }

    async fn on_server(&self, statement: &str) -> anyhow::Result<()> {
        let database = Database::connect(self.server.as_str(), 1).await?;
        let done = database.for_migrations().execute_unprepared(statement).await;
        database.close().await;
        done?;
        Ok(())
    }

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        name(self.way)
    }

    /// What it is.
    pub fn what(&self) -> &'static str {
        match self.way {
            Way::Plain => "pgbench -M prepared, the yardstick's 11 statements in 3 transactions, as many clients",
            Way::Best => "pgbench -M prepared, the yardstick's facts in 3 statements, as many clients",
        }
    }

    /// Bookings per second.
    pub async fn measure(&mut self, pressure: Pressure) -> anyhow::Result<f64> {
        // Not in the middle of what is measured. Whoever may not ask for it measures without.
        drop(self.on_server("CHECKPOINT").await);
        let seconds = pressure.duration.as_secs().max(1);
        let patience = Duration::from_secs(seconds) + PATIENCE;
        let said = self.run(&["--time", &seconds.to_string()], pressure.clients, "", patience).await?;
        tps(&said).with_context(|| format!("pgbench did not say how fast it was: {said}"))
    }

    /// Runs the script, with numbers that no other run has had.
    async fn run(
        &mut self,
        long: &[&str],
        clients: usize,
        settings: &str,
        patience: Duration,
    ) -> anyhow::Result<String> {
        let options =
            PgConnectOptions::from_str(self.server.as_str()).map_err(|_| anyhow::anyhow!("the URL cannot be read"))?;
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--file"])
            .arg(self.script.path())
            .args(["--client", &clients.to_string(), "--jobs", &jobs(clients).to_string()])
            .args(long)
            .args(["--define", "seq=0", "--define", &format!("base={}", self.rounds * PER_ROUND)])
            .args(["--host", options.get_host(), "--port", &options.get_port().to_string()])
            .args(["--username", options.get_username(), &self.database])
            // In the environment: whoever lists processes sees arguments.
            .env("PGPASSWORD", percent_decoded(self.server.password().unwrap_or_default()))
            // As every connection of ours is told once, whatever the server's own settings are.
            .env("PGOPTIONS", format!(r"-c default_transaction_isolation=read\ committed {settings}"))
            .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()));
        self.rounds += 1;
        child::output(&mut command, patience).await
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

/// The script of one booking.
fn text(way: Way) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "\\set seq :seq + 1")?;
    writeln!(text, "\\set n :base + :client_id * {PER_CLIENT} + :seq")?;
    // Each client begins elsewhere, so that no two of them meet in a room or at a guest.
    writeln!(text, "\\set room (:n + :client_id) % {ROOMS}")?;
    writeln!(text, "\\set guest (:n + :client_id * 61) % {GUESTS}")?;
    writeln!(text, "\\set first (:n / {ROOMS}) % {STAYS} * {NIGHTS}")?;
    let file = match way {
        Way::Plain => POSTGRES,
        Way::Best => POSTGRES_BEST,
    };
    for statement in statements(file).1 {
        writeln!(text, "{};", render(&statement, expression))?;
    }
    Ok(text)
}

/// A value as PostgreSQL computes it from the booking's number.
fn expression(hole: Hole) -> String {
    let id = |what: yardstick::Id| format!("(lpad(to_hex(:n::bigint), 16, '0') || '{:016x}')::uuid", what as u64);
    match hole {
        Hole::Id(what) => id(what),
        Hole::Name(kind, what) => format!("('{kind}/' || {}::text)", id(what)),
        Hole::Room => "(lpad(to_hex(:room::bigint), 32, '0'))::uuid".to_owned(),
        Hole::Guest => "('users/guest-' || :guest::text)".to_owned(),
        Hole::Host => "('users/host-' || :room::text)".to_owned(),
        Hole::First => ":first".to_owned(),
        Hole::Bytes(bytes) => format!("'\\x{}'::bytea", "ab".repeat(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_yardstick_is_left_open_in_the_script() {
        for way in [Way::Plain, Way::Best] {
            let text = text(way).unwrap();
            for open in ["GUEST", "HOST", "ROOM", "CASE_", "PAYMENT_", "EVENT_", "TX", "BYTES"] {
                assert!(!text.contains(open), "{open}:\n{text}");
            }
        }
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
        let refusal = Pgbench::prepare("mysql://u:s3cret@127.0.0.1/x", Way::Plain).await.unwrap_err();
        assert!(!format!("{refusal:?}").contains("s3cret"));
    }
}
