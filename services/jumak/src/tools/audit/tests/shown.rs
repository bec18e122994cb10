//! PaymentCourses to break the read models.

use room::audit::{Nights, Occupancy};
use uuid::Uuid;

use super::{
    breaks::Break,
    house::{at, booking_of, bookings, stay_of},
};
use crate::audit::Rule;

/// The rooms' calendar.
pub const CALENDAR: &[Break] = &[
    (
        "the calendar lacks a stay",
        |books| books.stays.retain(|heard| heard.stay.occupancy != Occupancy::Charged),
        &[Rule::Calendar],
    ),
    (
        "the calendar still has a cancelled stay",
        |books| stay_of(books, at::CANCELLED).stay.occupancy = Occupancy::Charged,
        &[Rule::Calendar],
    ),
    (
        "the calendar has a stay on other nights",
        |books| {
            let stay = &mut stay_of(books, at::CONFIRMED).stay;
            stay.nights = Nights::new(stay.nights.first(), stay.nights.end().tomorrow().unwrap()).unwrap();
        },
        &[Rule::Calendar],
    ),
    (
        "the calendar has a stay without a reservation",
        |books| {
            let mut stay = *stay_of(books, at::CONFIRMED);
            stay.reservation = Uuid::max();
            books.stays.push(stay);
        },
        &[Rule::Calendar],
    ),
];

/// My page.
pub const MY_PAGE: &[Break] = &[
    ("my page lacks a booking", |books| drop(bookings(books).remove(0)), &[Rule::MyPage]),
    (
        "my page shows an older state",
        |books| booking_of(books, at::CONFIRMED).case.state = "PENDING".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows an older version", |books| booking_of(books, at::CONFIRMED).case.version = 1, &[Rule::MyPage]),
    (
        "my page shows a payment in an older state",
        |books| booking_of(books, at::CANCELLED).case.payment_state = "APPROVED".to_owned(),
        &[Rule::MyPage],
    ),
    (
        "my page shows too small a refund",
        |books| booking_of(books, at::CANCELLED).case.refunded_minor = 1,
        &[Rule::MyPage],
    ),
    ("my page shows another total", |books| booking_of(books, at::CONFIRMED).case.total_minor += 1, &[Rule::MyPage]),
    (
        "my page shows another currency",
        |books| booking_of(books, at::CONFIRMED).case.currency = "USD".to_owned(),
        &[Rule::MyPage],
    ),
    (
        "my page shows other dates",
        |books| booking_of(books, at::CONFIRMED).case.end_date = "2027-05-09".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows another room", |books| booking_of(books, at::CONFIRMED).case.room_id = None, &[Rule::MyPage]),
    ("my page shows another title", |books| booking_of(books, at::CONFIRMED).case.title.clear(), &[Rule::MyPage]),
    (
        "my page shows a paid stay as undecided",
        |books| booking_of(books, at::CONFIRMED).case.course = "UNDECIDED".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows a guest as a host", |books| booking_of(books, at::CONFIRMED).party.is_host = true, &[Rule::MyPage]),
    ("my page has no rooms", |books| books.my_page.as_mut().unwrap().rooms.clear(), &[Rule::MyPage]),
    ("my page has no timelines", |books| books.my_page.as_mut().unwrap().heard.clear(), &[Rule::MyPage]),
    (
        "my page shows a stranger's booking",
        |books| {
            let mut shown = booking_of(books, at::CONFIRMED).clone();
            shown.party.user_name = "users/stranger".to_owned();
            bookings(books).push(shown);
        },
        &[Rule::MyPage],
    ),
];
