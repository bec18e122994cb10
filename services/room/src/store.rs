//! The context's tables. Errors of SQL are told apart here and nowhere else.

pub mod entity;
mod migration;
pub mod nights;
pub mod rooms;
pub mod search;
mod spellings;

use jiff::civil::Date;
use mesh::Error;

pub use migration::Migrator;

/// What a row holds that this code never wrote.
fn broken(what: &'static str) -> Error {
    Error::Internal(format!("a row holds no valid {what}"))
}

fn parse_date(text: &str) -> Result<Date, Error> {
    text.parse().map_err(|_| broken("date"))
}

fn parse_units(units: i32) -> Result<u16, Error> {
    u16::try_from(units).map_err(|_| broken("number of units"))
}
