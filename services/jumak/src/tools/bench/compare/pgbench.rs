//! The yardstick on PostgreSQL, driven by pgbench: how fast the database alone can write a booking.
//!
//! It runs in a scratch database that is dropped afterwards. pgbench numbers the bookings of each of its clients. The server computes ids
//! and names from that number, which costs less than sending them.

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

use super::BaselineLoad;
use crate::{
    bench::{
        child,
        yardstick::{
            self, BEFORE, GUESTS, NIGHTS, POSTGRES, POSTGRES_BEST, Placeholder, ROOMS, STAYS, Way, render, statements,
        },
    },
    cli::output,
};

/// How long pgbench may take besides the time to measure.
const PATIENCE: Duration = Duration::from_secs(60);
/// The distance between the numbers of two clients: more than the bookings of one client.
const PER_CLIENT: u64 = 1_000_000_000;
/// The distance between the numbers of two measurements.
const PER_ROUND: u64 = PER_CLIENT * 10_000;
/// Clients that make the bookings before the measurement.
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
    /// Makes the scratch database on the server at `url`. The URL's role must be allowed to.
    pub async fn prepare(url: &str, way: Way) -> anyhow::Result<Self> {
        child::output(Command::new("pgbench").arg("--version"), PATIENCE)
            .await
            .context("pgbench was not found; it is part of PostgreSQL")?;
        // The error does not contain the URL, which holds a password.
        let server = Url::parse(url).ok().filter(|url| url.scheme().starts_with("postgres") && url.has_host());
        let server = server.context("--postgres is not a URL such as postgres://user:password@127.0.0.1/postgres")?;
        let database = format!("jumak_bench_{:08x}", Uuid::new_v4().as_fields().0);
        let mut script = NamedTempFile::new()?;
        script.write_all(text(way)?.as_bytes())?;
        let mut this = Self { server, database, way, script, rounds: 0 };
        this.on_server(&format!("CREATE DATABASE {}", this.database))
            .await
            .context("failed to make the scratch database")?;
        if let Err(error) = this.fill().await {
            this.clear().await;
            return Err(error.context("failed to fill the scratch database"));
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

    /// What it measures.
    pub fn what(&self) -> &'static str {
        match self.way {
            Way::Plain => "pgbench -M prepared, the yardstick's 11 statements in 3 transactions, as many clients",
            Way::Best => "pgbench -M prepared, the yardstick's facts in 3 statements, as many clients",
        }
    }

    /// Bookings per second.
    pub async fn measure(&mut self, load: BaselineLoad) -> anyhow::Result<f64> {
        // So that no checkpoint falls into the measurement. If the role may not do this, it measures without.
        drop(self.on_server("CHECKPOINT").await);
        let seconds = load.duration.as_secs().max(1);
        let patience = Duration::from_secs(seconds) + PATIENCE;
        let said = self.run(&["--time", &seconds.to_string()], load.clients, "", patience).await?;
        tps(&said).with_context(|| format!("pgbench printed no throughput: {said}"))
    }

    /// Runs the script, with numbers that no earlier run has used.
    async fn run(
        &mut self,
        long: &[&str],
        clients: usize,
        settings: &str,
        patience: Duration,
    ) -> anyhow::Result<String> {
        let options =
            PgConnectOptions::from_str(self.server.as_str()).map_err(|_| anyhow::anyhow!("the URL is invalid"))?;
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--file"])
            .arg(self.script.path())
            .args(["--client", &clients.to_string(), "--jobs", &jobs(clients).to_string()])
            .args(long)
            .args(["--define", "seq=0", "--define", &format!("base={}", self.rounds * PER_ROUND)])
            .args(["--host", options.get_host(), "--port", &options.get_port().to_string()])
            .args(["--username", options.get_username(), &self.database])
            // In the environment, because arguments appear in the process list.
            .env("PGPASSWORD", percent_decoded(self.server.password().unwrap_or_default()))
            // The same settings as on Jumak's own connections, whatever the server's defaults are.
            .env("PGOPTIONS", format!(r"-c default_transaction_isolation=read\ committed {settings}"))
            .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()));
        self.rounds += 1;
        child::output(&mut command, patience).await
    }

    /// Drops the scratch database.
    pub async fn clear(self) {
        if let Err(error) = self.on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.database)).await {
            output::note(format_args!("failed to drop the scratch database {}: {error:#}", self.database));
        }
    }
}

/// The threads of pgbench: at most one for each core.
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

/// A part of a URL, percent-decoded.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).map(|(name, _)| name).collect()
}

/// The script of one booking.
fn text(way: Way) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "\\set seq :seq + 1")?;
    writeln!(text, "\\set n :base + :client_id * {PER_CLIENT} + :seq")?;
    // Each client begins with another room and guest, so that they do not contend for rows.
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

/// The SQL expression that computes a value from the booking's number.
fn expression(placeholder: Placeholder) -> String {
    let id = |what: yardstick::Id| format!("(lpad(to_hex(:n::bigint), 16, '0') || '{:016x}')::uuid", what as u64);
    match placeholder {
        Placeholder::Id(what) => id(what),
        Placeholder::Name(kind, what) => format!("('{kind}/' || {}::text)", id(what)),
        Placeholder::Room => "(lpad(to_hex(:room::bigint), 32, '0'))::uuid".to_owned(),
        Placeholder::Guest => "('users/guest-' || :guest::text)".to_owned(),
        Placeholder::Host => "('users/host-' || :room::text)".to_owned(),
        Placeholder::First => ":first".to_owned(),
        Placeholder::Bytes(bytes) => format!("'\\x{}'::bytea", "ab".repeat(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_no_unfilled_placeholder() {
        for way in [Way::Plain, Way::Best] {
            let text = text(way).unwrap();
            for open in ["GUEST", "HOST", "ROOM", "CASE_", "PAYMENT_", "EVENT_", "TX", "BYTES"] {
                assert!(!text.contains(open), "{open}:\n{text}");
            }
        }
    }

    #[test]
    fn the_throughput_is_read_from_pgbenchs_output() {
        let said = "number of failed transactions: 0 (0.000%)\nlatency average = 3.9 ms\ninitial connection time = 9.1 ms\ntps = 4012.345 (without initial connection time)\n";
        assert_eq!(tps(said), Some(4_012.345));
        assert_eq!(tps("pgbench: error"), None);
    }

    #[test]
    fn a_password_is_percent_decoded() {
        let url = Url::parse("postgres://u:p%40ss+w%26rd%3D@127.0.0.1/x").unwrap();
        assert_eq!(percent_decoded(url.password().unwrap()), "p@ss+w&rd=");
    }

    #[tokio::test]
    async fn an_invalid_url_is_not_part_of_the_error() {
        let refusal = Pgbench::prepare("mysql://u:s3cret@127.0.0.1/x", Way::Plain).await.unwrap_err();
        assert!(!format!("{refusal:?}").contains("s3cret"));
    }
}
