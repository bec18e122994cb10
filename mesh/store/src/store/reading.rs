//! Reads rows back. A value that this code cannot have written is an error that names the resource, and never a guess.

use std::{fmt::Display, str::FromStr};

use mesh_foundation::{error::Error, money::Money};

/// The resource whose row is read: its collection and its id.
#[derive(Clone, Copy, Debug)]
pub struct Reading<I>(pub &'static str, pub I);

impl<I: Display> Reading<I> {
    /// The error for a row whose `what` cannot be read.
    pub fn broken(&self, what: &str) -> Error {
        Error::Internal(format!("{}/{} is stored with a {what} that does not read back", self.0, self.1))
    }

    /// The value, or the error that it cannot be read.
    pub fn some<T>(&self, what: &str, read: Option<T>) -> Result<T, Error> {
        read.ok_or_else(|| self.broken(what))
    }

    /// A word, a date, a time of day.
    pub fn text<T: FromStr>(&self, what: &str, text: &str) -> Result<T, Error> {
        self.some(what, text.parse().ok())
    }

    /// A count, converted to the domain's type.
    pub fn count<N, T: TryFrom<N>>(&self, what: &str, number: N) -> Result<T, Error> {
        self.some(what, T::try_from(number).ok())
    }

    /// An amount.
    pub fn money(&self, minor: i64, code: &str) -> Result<Money, Error> {
        self.some("amount", Money::new(minor, code).ok())
    }
}

/// A count as a column or a message holds it. A count that does not fit is an error, and is never replaced by the largest number.
pub fn int<N: TryInto<C> + Display + Copy, C>(count: N) -> Result<C, Error> {
    count.try_into().map_err(|_| Error::Internal(format!("{count} is more than a column can hold")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_read_back_names_its_resource_and_is_never_clamped() {
        let reading = Reading("rooms", "7");
        assert_eq!(reading.count::<i32, u16>("number of units", 65_535).ok(), Some(65_535));
        let error = reading.count::<i32, u16>("number of units", 65_536).unwrap_err().to_string();
        assert!(error.contains("rooms/7 is stored with a number of units that does not read back"), "{error}");
        assert!(reading.text::<jiff::civil::Date>("date", "2027-02-30").is_err());
        assert!(reading.money(1, "KRW").is_ok() && reading.money(-1, "KRW").is_err() && reading.money(1, "?").is_err());
        assert_eq!(int(7_u32).ok(), Some(7_i32));
        assert!(int::<_, i32>(u32::MAX).is_err() && int::<_, i32>(i64::MAX).is_err());
        assert_eq!(int(u32::MAX).ok(), Some(i64::from(u32::MAX)));
    }
}
