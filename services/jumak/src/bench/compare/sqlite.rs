//! A booking's SQL on SQLite, replayed by the driver alone: what the databases could do without anything around them.
//!
//! As many tasks as the workload has clients, each booking one after another, over one file per context with one writer each: the
//! files of an embedded system, in the same mode, made by the contexts' own migrations.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use mesh::Database;
use sea_orm::{
    ConnectionTrait,
    sqlx::{
        AssertSqlSafe, Executor as _, Sqlite as Engine,
        pool::PoolConnection,
        query::Query,
        sqlite::{
            SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
        },
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Pressure;
use crate::{
    bench::{
        drive::{Load, Operate, drive},
        outcome::Outcome,
        replay::{
            self, Locking, Rendered,
            holes::{EPOCH_MICROS, GUESTS, Hole, NIGHTS, ROOMS, STAYS, id, night, room},
            seed::seed,
            statements::BOOKING,
        },
        schedule::Pace,
    },
    house::{DataFolder, Member},
};

/// Its name in reports.
pub const NAME: &str = "sqlite";
/// The contexts whose part of a booking is replayed.
const CONTEXTS: [Member; 4] = [Member::ROOM, Member::RESERVATION, Member::PAYMENT, Member::MYPAGE];
const WARMUP: Duration = Duration::from_millis(500);
/// How long a task waits for the one writer: behind all the others.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that read, as many as an embedded system opens by default.
const READERS: u32 = 16;
/// Between the numbers of two measurements.
const PER_ROUND: u64 = 1_000_000_000;

/// The files, and the booking as they take it.
#[derive(Debug)]
pub struct Sqlite {
    files: Arc<BTreeMap<&'static str, Pools>>,
    booking: Arc<Vec<Prepared>>,
    rounds: u64,
    _folder: TempDir,
}

#[derive(Debug)]
struct Pools {
    write: SqlitePool,
    read: SqlitePool,
}

/// A part of the booking, its statements in SQLite's words.
#[derive(Debug)]
struct Prepared {
    context: &'static str,
    is_transaction: bool,
    statements: Vec<Arc<Rendered>>,
}

impl Sqlite {
    /// Makes and fills the files in a temporary folder.
    pub async fn prepare() -> anyhow::Result<Self> {
        let parent = tempfile::Builder::new().prefix("jumak-bench-").tempdir()?;
        let folder = DataFolder::at(parent.path());
        let mut files = BTreeMap::new();
        for member in CONTEXTS {
            let file = folder.database_file(member.name());
            let database = Database::open_file(&file, 1).await?;
            member.schema.migrate(&database).await?;
            for statement in
                seed(member.name(), str::to_owned, |id| format!("x'{id:032x}'"), |bytes| format!("zeroblob({bytes})"))?
            {
                database.for_migrations().execute_unprepared(&statement).await?;
            }
            database.close().await;
            let options = SqliteConnectOptions::new()
                .filename(&file)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true);
            let pool = |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
            let write = pool(1).connect_with(options.clone()).await?;
            let read = pool(READERS).connect_with(options).await?;
            files.insert(member.name(), Pools { write, read });
        }
        Ok(Self { files: Arc::new(files), booking: Arc::new(prepared()?), rounds: 0, _folder: parent })
    }

    /// What it is.
    pub fn what(&self) -> String {
        let run: usize = self.booking.iter().map(|part| part.statements.len()).sum();
        format!(
            "the driver alone, the {run} statements and {} commits of a booking on the same kind of files, as many tasks",
            replay::transactions(),
        )
    }

    /// Bookings per second.
    pub async fn measure(&mut self, pressure: Pressure) -> anyhow::Result<f64> {
        let base = self.rounds * PER_ROUND;
        self.rounds += 1;
        let task = || Task { base, files: self.files.clone(), booking: self.booking.clone() };
        let tasks = std::iter::repeat_with(task).take(pressure.clients).collect();
        let load = Load { pace: Pace::Closed, warmup: WARMUP, duration: pressure.duration };
        let measured = drive(tasks, load, Arc::default(), &CancellationToken::new()).await?;
        match measured.seen.failed.keys().next() {
            None => Ok(measured.per_second()),
            Some(reason) => anyhow::bail!("a replayed booking failed: {reason}"),
        }
    }
}

/// The booking in SQLite's words.
fn prepared() -> anyhow::Result<Vec<Prepared>> {
    let mut parts = Vec::new();
    for part in BOOKING {
        let run = part.statements.iter().filter(|statement| statement.locking != Locking::OnlyForThat);
        let statements: anyhow::Result<_> = run
            .map(|statement| {
                replay::render(statement.sql, |table| format!("\"{table}\""), |_| "?".to_owned()).map(Arc::new)
            })
            .collect();
        parts.push(Prepared { context: part.context, is_transaction: part.is_transaction, statements: statements? });
    }
    Ok(parts)
}

/// One that books.
struct Task {
    base: u64,
    files: Arc<BTreeMap<&'static str, Pools>>,
    booking: Arc<Vec<Prepared>>,
}

impl Operate for Task {
    async fn operate(&self, number: u64) -> Outcome {
        match self.book(self.base + number).await {
            Ok(()) => Outcome::default(),
            Err(error) => Outcome::failed(&format!("{error:#}")),
        }
    }
}

impl Task {
    async fn book(&self, number: u64) -> anyhow::Result<()> {
        for part in &*self.booking {
            let pools = self.files.get(part.context).context("a context has a file")?;
            if !part.is_transaction {
                let mut connection = pools.read.acquire().await?;
                self.run(part, number, &mut connection).await?;
                continue;
            }
            let mut connection = pools.write.acquire().await?;
            connection.execute("BEGIN IMMEDIATE").await?;
            self.run(part, number, &mut connection).await?;
            connection.execute("COMMIT").await?;
        }
        Ok(())
    }

    async fn run(&self, part: &Prepared, number: u64, connection: &mut PoolConnection<Engine>) -> anyhow::Result<()> {
        for statement in &part.statements {
            let mut query = sea_orm::sqlx::query(AssertSqlSafe(statement.sql.clone()));
            for hole in &statement.holes {
                query = bind(query, *hole, number)?;
            }
            if statement.sql.starts_with("SELECT") {
                query.fetch_all(&mut **connection).await?;
            } else {
                query.execute(&mut **connection).await?;
            }
        }
        Ok(())
    }
}

/// The same values as an embedded system stores.
fn bind(
    query: Query<'_, Engine, SqliteArguments>,
    hole: Hole,
    number: u64,
) -> anyhow::Result<Query<'_, Engine, SqliteArguments>> {
    let first = number / ROOMS % STAYS * NIGHTS;
    let blob = |id: u128| id.to_be_bytes().to_vec();
    let text = |id: u128| uuid::Uuid::from_u128(id).to_string();
    Ok(match hole {
        Hole::Id(what) => query.bind(blob(id(what, number))),
        Hole::Room => query.bind(blob(room(number))),
        Hole::Name(kind, what) => query.bind(format!("{kind}/{}", text(id(what, number)))),
        Hole::Text(what) => query.bind(text(id(what, number))),
        Hole::Guest => query.bind(format!("users/guest-{}", number % GUESTS)),
        Hole::Host => query.bind(format!("users/host-{}", number % ROOMS)),
        Hole::CheckIn => query.bind(night(first)?),
        Hole::CheckOut => query.bind(night(first + NIGHTS)?),
        Hole::Now => query.bind(i64::try_from(EPOCH_MICROS + number)?),
        Hole::Bytes(bytes) => query.bind(vec![0xab_u8; bytes]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(sqlite: &Sqlite, context: &str, sql: &'static str) -> i64 {
        sea_orm::sqlx::query_scalar(sql).fetch_one(&sqlite.files[context].read).await.unwrap()
    }

    /// The statements still fit the contexts' tables, and do to them what a booking does.
    #[tokio::test]
    async fn a_replayed_booking_leaves_what_a_booking_leaves() {
        let sqlite = Sqlite::prepare().await.unwrap();
        let task = Task { base: 0, files: sqlite.files.clone(), booking: sqlite.booking.clone() };
        for number in 0..3 {
            task.book(number).await.unwrap();
        }
        for (context, sql, wanted) in [
            ("reservation", "SELECT COUNT(*) FROM reservation WHERE state = 'CONFIRMED' AND version = 2", 3),
            ("reservation", "SELECT SUM(taken) FROM night", 6),
            ("reservation", "SELECT COUNT(*) FROM request WHERE answer IS NOT NULL", 3),
            ("reservation", "SELECT COUNT(*) FROM outbox WHERE publish_time IS NOT NULL", 6),
            ("payment", "SELECT COUNT(*) FROM payment WHERE state = 'APPROVED'", 3),
            ("payment", "SELECT COUNT(*) FROM ledger_entry", 6),
            ("payment", "SELECT COUNT(*) FROM outbox WHERE publish_time IS NULL", 0),
            ("room", "SELECT COUNT(*) FROM stay WHERE occupancy = 'CHARGED'", 3),
            ("mypage", "SELECT COUNT(*) FROM booking", 6),
            (
                "mypage",
                "SELECT COUNT(*) FROM business_case WHERE state = 'CONFIRMED' AND payment_state = 'APPROVED'",
                3,
            ),
            ("mypage", "SELECT COUNT(*) FROM timeline", 9),
        ] {
            assert_eq!(count(&sqlite, context, sql).await, wanted, "{context}: {sql}");
        }
    }
}
