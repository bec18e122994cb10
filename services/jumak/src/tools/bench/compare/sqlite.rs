//! The yardstick on SQLite: how fast the one thread that holds a connection to one file can write bookings.
//!
//! The thread gets each booking, or sixteen of them, as one text whose statements stay prepared. There is one hand-over for each text, so
//! the hand-overs hardly count.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Executor as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tempfile::TempDir;

use super::BaselineLoad;
use crate::bench::yardstick::{BEFORE, Placeholder, SQLITE, Value, Way, render, statements};

/// The bookings that share each transaction, in the best way.
const GROUP: u64 = 16;
/// How many results the thread may produce before they are read: more than a text has statements.
const AHEAD: usize = 1_024;

/// Its name in reports.
pub const fn name(way: Way) -> &'static str {
    match way {
        Way::Plain => "sqlite",
        Way::Best => "sqlite-best",
    }
}

/// The file and the text of a booking.
#[derive(Debug)]
pub struct Sqlite {
    connection: SqliteConnection,
    way: Way,
    text: Arc<str>,
    placeholders: Vec<(u64, Placeholder)>,
    next: u64,
    _folder: TempDir,
}

impl Sqlite {
    /// Makes and fills the file in a temporary folder.
    pub async fn prepare(way: Way) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jumak-bench-").tempdir()?;
        let mut connection = SqliteConnectOptions::new()
            .filename(folder.path().join("yardstick.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .row_buffer_size(AHEAD)
            .disable_statement_logging()
            .connect()
            .await?;
        for statement in statements(SQLITE).0 {
            connection.execute(AssertSqlSafe(statement)).await?;
        }
        let (text, placeholders) = text(way);
        let mut this = Self { connection, way, text: text.into(), placeholders, next: 0, _folder: folder };
        while this.next < BEFORE {
            this.book().await?;
        }
        this.connection.execute("PRAGMA synchronous = FULL").await?;
        Ok(this)
    }

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        name(self.way)
    }

    /// What it measures.
    pub fn what(&self) -> String {
        match self.way {
            Way::Plain => "the yardstick's 11 statements in 3 transactions, on one connection".to_owned(),
            Way::Best => format!("the same, with {GROUP} bookings in each transaction"),
        }
    }

    /// Bookings per second.
    pub async fn measure(&mut self, load: BaselineLoad) -> anyhow::Result<f64> {
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        let (begun, first) = (Instant::now(), self.next);
        while begun.elapsed() < load.duration.max(Duration::from_secs(1)) {
            self.book().await?;
        }
        Ok((self.next - first) as f64 / begun.elapsed().as_secs_f64())
    }

    /// Makes the next booking, or the next group.
    async fn book(&mut self) -> anyhow::Result<()> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.clone()));
        for (ahead, placeholder) in &self.placeholders {
            query = match placeholder.value(self.next + ahead) {
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query.execute(&mut self.connection).await?;
        self.next += match self.way {
            Way::Plain => 1,
            Way::Best => GROUP,
        };
        Ok(())
    }
}

/// The text of a booking or a group, and its placeholders in order, each with the index of its booking in the group.
fn text(way: Way) -> (String, Vec<(u64, Placeholder)>) {
    let (mut text, mut placeholders) = (String::new(), Vec::new());
    let mut add = |statement: &str, ahead: u64, text: &mut String| {
        text.push_str(&render(statement, |placeholder| {
            placeholders.push((ahead, placeholder));
            "?".to_owned()
        }));
        text.push_str(";\n");
    };
    let booking = statements(SQLITE).1;
    for transaction in booking.split_inclusive(|statement| statement == "COMMIT") {
        let [begin, facts @ .., commit] = transaction else { continue };
        add(begin, 0, &mut text);
        match way {
            Way::Plain => facts.iter().for_each(|fact| add(fact, 0, &mut text)),
            Way::Best => {
                for ahead in 0..GROUP {
                    add("SAVEPOINT one", ahead, &mut text);
                    facts.iter().for_each(|fact| add(fact, ahead, &mut text));
                    add("RELEASE one", ahead, &mut text);
                }
            }
        }
        add(commit, 0, &mut text);
    }
    (text, placeholders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_booking_writes_the_same_rows_in_both_ways() {
        for way in [Way::Plain, Way::Best] {
            let mut sqlite = Sqlite::prepare(way).await.unwrap();
            sqlite.book().await.unwrap();
            let booked = i64::try_from(sqlite.next).unwrap();
            for (sql, wanted) in [
                ("SELECT COUNT(*) FROM request WHERE length(answer) = 499", booked),
                ("SELECT COUNT(*) FROM booking WHERE state = 'CONFIRMED' AND version = 2", booked),
                ("SELECT SUM(taken) FROM night", 2 * booked),
                ("SELECT COUNT(*) FROM outbox", 2 * booked),
                ("SELECT COUNT(*) FROM payment", booked),
                ("SELECT COUNT(*) FROM payment_outbox", booked),
                ("SELECT COUNT(*) FROM ledger", 2 * booked),
                ("SELECT COUNT(*) FROM view", booked),
            ] {
                let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut sqlite.connection).await.unwrap();
                assert_eq!(found, wanted, "{way:?}: {sql}");
            }
        }
    }
}
