//! Dates that are ahead of whenever the tests run, and stay the same as long as they do.

use std::sync::LazyLock;

use contracts::{reservation::v1::CreateReservationRequest, room::v1::Room};
use jiff::{Span, Zoned, civil::Date};

use super::booking;

/// The first night, in days from now.
const DAYS_AHEAD: i64 = 90;

/// A night so many days after the first one.
pub fn night(number: usize) -> Date {
    static FIRST: LazyLock<Date> = LazyLock::new(|| Zoned::now().date().saturating_add(Span::new().days(DAYS_AHEAD)));
    FIRST.saturating_add(Span::new().days(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// A request for so many units on some of the nights, from the first to the day of leaving.
pub fn stay(room: &Room, nights: std::ops::Range<usize>, units: i32, token: Option<&str>) -> CreateReservationRequest {
    let (check_in, check_out) = (night(nights.start).to_string(), night(nights.end).to_string());
    let mut request = booking(room, (&check_in, &check_out), token);
    if let Some(reservation) = &mut request.reservation {
        reservation.units = Some(units);
    }
    request
}

/// A request for one unit on the first two nights.
pub fn two_nights(room: &Room, token: Option<&str>) -> CreateReservationRequest {
    stay(room, 0..2, 1, token)
}
