//! Ways to break the read models.

use room::audit::Occupancy;

use super::{
    breaks::Break,
    house::{at, booking_of, bookings, stay_of},
};
use crate::audit::Rule;

/// The rooms' calendar.
pub const CALENDAR: &[Break] = &[
    (
        "the calendar lacks a stay",
        |books| books.stays.retain(|stay| stay.occupancy != Occupancy::Charged),
        &[Rule::Calendar],
    ),
    (
        "the calendar still has a cancelled stay",
        |books| stay_of(books, at::CANCELLED).occupancy = Occupancy::Charged,
        &[Rule::Calendar],
    ),
    (
        "the calendar has a stay on other nights",
        |books| {
            let stay = stay_of(books, at::CONFIRMED);
            stay.check_out_date = stay.check_out_date.tomorrow().unwrap();
        },
        &[Rule::Calendar],
    ),
    (
        "the calendar has a stay without a reservation",
        |books| {
            let mut stay = stay_of(books, at::CONFIRMED).clone();
            "reservations/none".clone_into(&mut stay.reservation);
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
        |books| booking_of(books, at::CONFIRMED).state = "PENDING".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows an older version", |books| booking_of(books, at::CONFIRMED).version = 1, &[Rule::MyPage]),
    (
        "my page shows a payment in an older state",
        |books| booking_of(books, at::CANCELLED).payment_state = "APPROVED".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows too small a refund", |books| booking_of(books, at::CANCELLED).refunded_minor = 1, &[Rule::MyPage]),
    ("my page shows another total", |books| booking_of(books, at::CONFIRMED).total_minor += 1, &[Rule::MyPage]),
    (
        "my page shows another currency",
        |books| booking_of(books, at::CONFIRMED).currency = "USD".to_owned(),
        &[Rule::MyPage],
    ),
    (
        "my page shows other dates",
        |books| booking_of(books, at::CONFIRMED).end_date = "2027-05-09".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows another room", |books| booking_of(books, at::CONFIRMED).room = None, &[Rule::MyPage]),
    ("my page shows another title", |books| booking_of(books, at::CONFIRMED).title.clear(), &[Rule::MyPage]),
    (
        "my page shows a paid stay as undecided",
        |books| booking_of(books, at::CONFIRMED).course = "UNDECIDED".to_owned(),
        &[Rule::MyPage],
    ),
    ("my page shows a guest as a host", |books| booking_of(books, at::CONFIRMED).is_host = true, &[Rule::MyPage]),
    ("my page has no rooms", |books| books.my_page.as_mut().unwrap().rooms.clear(), &[Rule::MyPage]),
    ("my page has no timelines", |books| books.my_page.as_mut().unwrap().heard.clear(), &[Rule::MyPage]),
    (
        "my page shows a stranger's booking",
        |books| {
            let mut shown = booking_of(books, at::CONFIRMED).clone();
            shown.user = "users/stranger".to_owned();
            bookings(books).push(shown);
        },
        &[Rule::MyPage],
    ),
];
