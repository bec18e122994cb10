//! The SQL of one booking, without the framework: the statements that a booking really runs in the databases of reservation,
//! payment, room and my page, in their order and their transactions, with values of the same kind and size.
//!
//! They stand in [`statements`] and were taken from the statement log of a PostgreSQL under a running system; whoever changes what a
//! booking runs changes them there. Three things are simplified, each the same way for every engine:
//!
//! - a relay and a consumer handle in one commit what has arrived, one booking's events or a hundred's; here each booking's events
//!   are handled in one commit per context;
//! - what depends on an answer runs as if the answer had come: rows are there, nothing is sold out, nobody is in the way;
//! - the simulated provider and the bus are parties of their own and left out.
//!
//! A statement is written once for all engines. `@table` is a table of the context, `{hole}` a value (see [`Hole`]).

pub mod holes;
pub mod seed;
pub mod statements;

use self::holes::Hole;

/// One statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// What it is for.
    pub does: &'static str,
    /// The text, with its tables and holes.
    pub sql: &'static str,
    /// Whether it locks what it reads.
    pub locking: Locking,
}

/// Whether a statement locks rows, on an engine that has such locks. SQLite has one writer, and needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// It does not.
    None,
    /// It locks what it reads: `FOR UPDATE`.
    ItsRows,
    /// It does nothing else, and without such locks it is not run.
    OnlyForThat,
}

/// Statements of one context that are committed together, or reads outside any transaction.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Whose database.
    pub context: &'static str,
    /// What it is for.
    pub does: &'static str,
    /// Whether it is a transaction.
    pub is_transaction: bool,
    /// In their order.
    pub statements: &'static [Statement],
}

/// A statement for one engine, and the values of its holes in the order in which they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub sql: String,
    /// The values that it takes.
    pub holes: Vec<Hole>,
}

/// Statements of one booking, its commits not counted.
pub fn statements() -> usize {
    statements::BOOKING.iter().map(|part| part.statements.len()).sum()
}

/// Transactions of one booking.
pub fn transactions() -> usize {
    statements::BOOKING.iter().filter(|part| part.is_transaction).count()
}

/// Fills in tables by `table` and holes by `hole`.
pub fn render(
    sql: &str,
    table: impl Fn(&str) -> String,
    mut hole: impl FnMut(Hole) -> String,
) -> anyhow::Result<Rendered> {
    let (mut text, mut holes, mut rest) = (String::new(), Vec::new(), sql);
    while let Some(at) = rest.find(['@', '{']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(name) = from.strip_prefix('@') {
            let end = name.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_').unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            text.push_str(&table(name));
            rest = after;
        } else {
            let (name, after) =
                from[1..].split_once('}').ok_or_else(|| anyhow::anyhow!("a hole is not closed: {sql}"))?;
            let found = name.parse()?;
            text.push_str(&hole(found));
            holes.push(found);
            rest = after;
        }
    }
    text.push_str(rest);
    Ok(Rendered { sql: text, holes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_holes_are_filled_in_where_they_stand() {
        let rendered = render(
            "UPDATE @night SET taken = taken + 1 WHERE room = {room} AND night >= {check_in} AND room = {room}",
            |table| format!("\"reservation\".\"{table}\""),
            |_| "?".to_owned(),
        )
        .unwrap();
        assert_eq!(
            rendered.sql,
            "UPDATE \"reservation\".\"night\" SET taken = taken + 1 WHERE room = ? AND night >= ? AND room = ?"
        );
        assert_eq!(rendered.holes, [Hole::Room, Hole::CheckIn, Hole::Room]);
        assert!(render("SELECT {nothing}", str::to_owned, |_| String::new()).is_err());
        assert!(render("SELECT {room", str::to_owned, |_| String::new()).is_err());
    }
}
