//! The yardstick: the rows that any program must write to book a room, as fixed SQL in files. It never changes, so a ratio to it means the
//! same for every version of Jumak.
//!
//! There are two ways of writing the rows. [`Way::Plain`] uses three transactions of ordinary statements, 17 round trips on a server.
//! [`Way::Best`] needs as few round trips and syncs as possible, and so shows that the first is not the machine's limit: on PostgreSQL each
//! transaction is one statement, on SQLite sixteen bookings share each transaction.

use uuid::Uuid;

/// On PostgreSQL.
pub const POSTGRES: &str = include_str!("v1.postgres.sql");
/// On PostgreSQL, in the best way. Contains only the booking.
pub const POSTGRES_BEST: &str = include_str!("v1.postgres.best.sql");
/// On SQLite.
pub const SQLITE: &str = include_str!("v1.sqlite.sql");

/// Bookings that exist before the measurement. Debug builds make fewer, because their figures mean nothing.
pub const BEFORE: u64 = if cfg!(debug_assertions) { 256 } else { 10_000 };
/// Rooms that bookings are spread over.
pub const ROOMS: u64 = 100;
/// Guests who book in turn.
pub const GUESTS: u64 = 1_024;
/// Consecutive stays in a room's calendar before the first nights are used again.
pub const STAYS: u64 = 14;
/// Nights of a stay.
pub const NIGHTS: u64 = 2;

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With ordinary statements.
    Plain,
    /// In as few round trips and syncs as possible.
    Best,
}

/// A placeholder for a value that differs between bookings, or is too large to write out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// An id of this booking, of sixteen bytes.
    Id(Id),
    /// A resource's name, with the id in it.
    Name(&'static str, Id),
    /// The room's id.
    Room,
    /// The guest's name.
    Guest,
    /// The host's name.
    Host,
    /// The first night.
    First,
    /// A number of arbitrary bytes.
    Bytes(usize),
}

/// The record that an id belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// The booking.
    Case = 1,
    /// Its payment.
    Payment,
    /// The event of the hold.
    Event1,
    /// The event of the payment.
    Event2,
    /// The event of the confirmation.
    Event3,
    /// The transaction in the ledger.
    Transaction,
}

/// A value for a bound parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

impl Placeholder {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "CASE_ID" => Self::Id(Id::Case),
            "PAYMENT_ID" => Self::Id(Id::Payment),
            "EVENT_1" => Self::Id(Id::Event1),
            "EVENT_2" => Self::Id(Id::Event2),
            "EVENT_3" => Self::Id(Id::Event3),
            "TX" => Self::Id(Id::Transaction),
            "CASE_NAME" => Self::Name("reservations", Id::Case),
            "PAYMENT_NAME" => Self::Name("payments", Id::Payment),
            "ROOM" => Self::Room,
            "GUEST" => Self::Guest,
            "HOST" => Self::Host,
            ":first" => Self::First,
            _ => Self::Bytes(word.strip_prefix("BYTES(")?.strip_suffix(')')?.parse().ok()?),
        })
    }

    /// The value in booking `number`.
    pub fn value(self, number: u64) -> Value {
        // Like those of a UUIDv7, the bytes grow with the number, so that an index grows at its end.
        let id = |id: Id| Uuid::from_u128((u128::from(number) << 64) | id as u128);
        match self {
            Self::Id(what) => Value::Bytes(id(what).as_bytes().to_vec()),
            Self::Name(kind, what) => Value::Text(format!("{kind}/{}", id(what))),
            Self::Room => Value::Bytes(u128::from(number % ROOMS).to_be_bytes().to_vec()),
            Self::Guest => Value::Text(format!("users/guest-{}", number % GUESTS)),
            Self::Host => Value::Text(format!("users/host-{}", number % ROOMS)),
            Self::First => Value::Number(i64::try_from(number / ROOMS % STAYS * NIGHTS).unwrap_or_default()),
            Self::Bytes(bytes) => Value::Bytes(vec![0xab; bytes]),
        }
    }
}

/// The statements of a file without comments: first those that make and fill the tables, then those of a booking.
pub fn statements(file: &str) -> (Vec<String>, Vec<String>) {
    let code: Vec<&str> = file.lines().filter(|line| !line.starts_with("--")).collect();
    let all = code.join("\n");
    let all = all.split(';').map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty());
    all.partition(|statement| statement.starts_with("CREATE ") || statement.starts_with("INSERT INTO night "))
}

/// A statement with its placeholders replaced by `write`, in order.
pub fn render(statement: &str, mut write: impl FnMut(Placeholder) -> String) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let (mut text, mut rest, mut quoted) = (String::new(), statement, false);
    while let Some(first) = rest.chars().next() {
        let mut end = first.len_utf8();
        if is_part(first) || first == ':' {
            end += rest[end..].find(|letter: char| !is_part(letter)).unwrap_or(rest.len() - end);
        }
        if rest[..end] == *"BYTES" {
            end = rest.find(')').map_or(rest.len(), |at| at + 1);
        }
        quoted ^= first == '\'';
        let (word, after) = rest.split_at(end);
        match Placeholder::of(word).filter(|_| !quoted) {
            Some(placeholder) => text.push_str(&write(placeholder)),
            None => text.push_str(word),
        }
        rest = after;
    }
    text
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// To change the yardstick, add a version 2 beside version 1.
    #[test]
    fn version_1_never_changes() {
        let sum = |file: &str| Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(sum(POSTGRES), "5a89cbb76bbeb4a6ca1e54a1fae0eed4e388c4213a630a409bf809ad34108631");
        assert_eq!(sum(POSTGRES_BEST), "99eb6714d7bb3e29cd8d4c4be9321e7352220b274a115bdf3324238000e28bf0");
        assert_eq!(sum(SQLITE), "748a6f9384abdfd2cee2c13e2c1e33efbd90cd4069e69d14649975a87160bdf5");
    }

    #[test]
    fn the_same_facts_are_written_on_both_engines_in_three_commits_and_eleven_statements() {
        let facts = |file| statements(file).1.into_iter().filter(|one| !one.starts_with("BEGIN")).collect::<Vec<_>>();
        let (postgres, sqlite) = (facts(POSTGRES), facts(SQLITE));
        assert_eq!(postgres, sqlite);
        assert_eq!(postgres.iter().filter(|statement| *statement == "COMMIT").count(), 3);
        assert_eq!(postgres.len(), 11 + 3);
        assert_eq!(statements(POSTGRES_BEST).1.len(), 3, "one for each commit");
    }

    #[test]
    fn placeholders_are_replaced_but_not_inside_string_literals() {
        let mut found = Vec::new();
        let sql =
            "UPDATE t SET a = BYTES(12), b = 'GUEST' WHERE c = CASE_ID AND d >= :first AND e IN (HOST) AND f = CASE";
        let rendered = render(sql, |placeholder| {
            found.push(placeholder);
            "?".to_owned()
        });
        assert_eq!(rendered, "UPDATE t SET a = ?, b = 'GUEST' WHERE c = ? AND d >= ? AND e IN (?) AND f = CASE");
        assert_eq!(found, [Placeholder::Bytes(12), Placeholder::Id(Id::Case), Placeholder::First, Placeholder::Host]);
    }
}
