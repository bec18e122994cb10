//! A room as this context knows it from events, to sell it.

use jiff::{Timestamp, civil::Time, tz::TimeZone};
use mesh::{BookingWindow, money::Money, types::CancellationPolicy};
use uuid::Uuid;

use super::reservation::RoomSnapshot;

/// A room that can be sold, and its terms.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomOffer {
    /// The room.
    pub id: Uuid,
    /// Whose it is: `users/…`.
    pub host: String,
    /// The version of the room that this is.
    pub version: i64,
    /// Whether it was removed and can no longer be booked; stays sold before are kept unless its host cancels them.
    pub deleted: bool,
    /// When it was removed, if it was.
    pub delete_time: Option<Timestamp>,
    /// How many units it has.
    pub units: u32,
    /// How many people each takes.
    pub capacity: u32,
    /// What one unit costs a night.
    pub nightly_rate: Money,
    /// Where its days begin and end.
    pub time_zone: TimeZone,
    /// When stays begin.
    pub check_in_time: Time,
    /// When stays end.
    pub check_out_time: Time,
    /// The terms of cancelling.
    pub cancellation_policy: CancellationPolicy,
    /// The snapshot that a reservation keeps.
    pub snapshot: RoomSnapshot,
}

impl RoomOffer {
    /// The days on which a stay in the room may begin.
    pub fn booking_window(&self, now: Timestamp) -> BookingWindow {
        BookingWindow::at(now, &self.time_zone, self.check_out_time)
    }
}
