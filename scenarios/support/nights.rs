//! Dates in the future that stay the same during a test run.

use std::{ops::Range, sync::LazyLock};

use contracts::{
    reservation::v1::{CreateReservationRequest, Reservation},
    room::v1::Room,
    types::v1::PaymentMethod,
};
use jiff::{Span, Zoned, civil::Date};

/// The first night, in days from now.
const DAYS_AHEAD: i64 = 90;

/// The night `number` days after the first one.
pub fn night(number: i32) -> Date {
    static FIRST: LazyLock<Date> = LazyLock::new(|| Zoned::now().date().saturating_add(Span::new().days(DAYS_AHEAD)));
    FIRST.saturating_add(Span::new().days(number))
}

/// A request for `units` on `nights`. The end of the range is the check-out day.
pub fn stay(room: &Room, nights: Range<i32>, units: i32, token: Option<&str>) -> CreateReservationRequest {
    CreateReservationRequest {
        reservation: Some(Reservation {
            room: room.name.clone(),
            check_in_date: night(nights.start).to_string(),
            check_out_date: night(nights.end).to_string(),
            units: Some(units),
            ..Reservation::default()
        }),
        payment_method: token.map(|token| PaymentMethod { token: token.to_owned() }),
        ..CreateReservationRequest::default()
    }
}

/// A request for one unit on the first two nights.
pub fn two_nights(room: &Room, token: Option<&str>) -> CreateReservationRequest {
    stay(room, 0..2, 1, token)
}
