//! Which nights of a room can be booked at a given moment.
//!
//! One rule for the context that offers nights and the context that sells them, so that the nights that are found are exactly those that
//! can be sold. A night is named by the date on which it begins, in the room's time zone. It can be booked until the room's check-out
//! time on the next day, so that a guest who arrives at half past midnight still gets a bed for that night.

use jiff::{
    Span, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::clock;

/// The most nights of one stay.
pub const MAX_NIGHTS: i32 = 90;
/// The most units of one stay.
pub const MAX_UNITS: u16 = 10;
/// How many days ahead of today, where the room is, a stay may begin: five years.
pub const MAX_DAYS_AHEAD: i32 = 1_830;

/// The days on which a stay in a room may begin, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingWindow {
    first: Date,
    last: Date,
}

/// Why a stay cannot begin on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideWindow {
    /// The night is over.
    #[error("is in the past: where the room is, the first night that can be booked is {first}")]
    Past {
        /// The first possible day.
        first: Date,
    },
    /// The night is too far ahead.
    #[error("is more than {MAX_DAYS_AHEAD} days ahead; the last night that can be booked is {last}")]
    TooFarAhead {
        /// The last possible day.
        last: Date,
    },
}

impl BookingWindow {
    /// The window at `now` of a room in `zone` that guests leave at `check_out_time`.
    pub fn at(now: Timestamp, zone: &TimeZone, check_out_time: Time) -> Self {
        let today = now.to_zoned(zone.clone()).date();
        let last_night_is_over = now >= clock::instant_of(today, check_out_time, zone);
        let first = if last_night_is_over { today } else { today.yesterday().unwrap_or(today) };
        Self { first, last: days_after(today, MAX_DAYS_AHEAD) }
    }

    /// The window that includes the windows of all rooms at `now`, in any time zone. A search need not look outside it.
    pub fn anywhere(now: Timestamp) -> Self {
        let today = now.to_zoned(TimeZone::UTC).date();
        // No zone is more than a day away from UTC's date, and the night before is on sale until it is over.
        Self { first: days_after(today, -2), last: days_after(today, MAX_DAYS_AHEAD + 1) }
    }

    /// The first day on which a stay may begin: today, or yesterday until its night is over.
    pub fn first(self) -> Date {
        self.first
    }

    /// Refuses a day on which no stay can begin.
    pub fn check(self, check_in: Date) -> Result<(), OutsideWindow> {
        if check_in < self.first {
            Err(OutsideWindow::Past { first: self.first })
        } else if check_in > self.last {
            Err(OutsideWindow::TooFarAhead { last: self.last })
        } else {
            Ok(())
        }
    }

    /// Whether a stay can have the night that begins on that day: as its first one, or in a stay that begins on the last day.
    pub fn has_night(self, night: Date) -> bool {
        self.first <= night && night < days_after(self.last, MAX_NIGHTS)
    }
}

fn days_after(date: Date, days: i32) -> Date {
    date.saturating_add(Span::new().days(days))
}

#[cfg(test)]
mod tests;
