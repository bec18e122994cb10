//! PaymentCourses to break books that are in order, each with the rules that have to notice: every fault that the originals had, and more.

use mesh::{
    checkout::{CaseEntry, State},
    driver::MAX_FAILURES,
};
use mypage::audit::BookingRow;
use payment::{
    audit::Balance,
    domain::{
        payment::Payment,
        refund::{Kind, RefundState},
    },
};
use reservation::audit::NightRow;
use room::audit::{BlockedRow, Occupancy};
use uuid::Uuid;

use super::{
    house::{TOTAL, at, bookings, charge_of, event_of, just_now, long_ago, payment_of, refund_of, stay_of},
    shown::{CALENDAR, MY_PAGE},
};
use crate::audit::{KnownEvent, OpenRequest, OutboxEvent, Reading, Rule};

/// One thing broken in books that were in order, and which rules have to notice.
pub type Break = (&'static str, fn(&mut Reading), &'static [Rule]);

/// A request that has no answer.
pub fn open_request(case: Option<&str>, attempt: u32) -> OpenRequest {
    OpenRequest {
        context: "reservation",
        principal: "users/guest".to_owned(),
        method: "CreateReservation".to_owned(),
        request_id: "request-1".to_owned(),
        case: case.map(str::to_owned),
        attempt,
    }
}

/// Debits an account, or credits it.
fn book(books: &mut Reading, payment_id: Uuid, account: &str, debit_minor: i64) {
    books.balances.push(Balance { payment_id, account: account.to_owned(), currency: "KRW".to_owned(), debit_minor });
}

/// The reservation as both of its parties' pages show it.
fn pages_of(books: &mut Reading, place: usize) -> impl Iterator<Item = &mut BookingRow> {
    let case = books.cases[place].name.clone();
    bookings(books).iter_mut().filter(move |booking| booking.name == case)
}

const STAYS: &[Break] = &[
    ("a sold night counts as free", |books| books.nights[0].taken = 0, &[Rule::UnitsTaken]),
    ("a sold night is missing", |books| drop(books.nights.remove(0)), &[Rule::UnitsTaken]),
    ("a night is taken without a stay", |books| books.nights[2].taken = 1, &[Rule::UnitsTaken]),
    (
        "one night was sold twice",
        |books| {
            let sold = stay_of(books, at::CONFIRMED).stay.nights;
            stay_of(books, at::HELD).stay.nights = sold;
            for booking in pages_of(books, at::HELD) {
                booking.case.start_date = sold.first().to_string();
                booking.case.end_date = sold.end().to_string();
            }
            books.reserved[at::HELD].nights = books.reserved[at::CONFIRMED].nights.clone();
            books.nights[2 * at::HELD..][..2].iter_mut().for_each(|night| night.taken = 0);
            books.nights[2 * at::CONFIRMED..][..2].iter_mut().for_each(|night| night.taken = 2);
        },
        &[Rule::Capacity],
    ),
    (
        "a room has fewer units than are sold",
        |books| books.rooms[0].details.units = 0,
        &[Rule::RoomsKnown, Rule::MyPage],
    ),
    (
        "more units are sold than exist",
        |books| {
            (books.known_rooms[0].units, books.known_rooms[0].units_told) = (5_000, 5_000);
            books.nights.iter_mut().for_each(|night| (night.offered, night.capacity) = (5_000, 5_000));
        },
        &[Rule::RoomsKnown],
    ),
    (
        "a night is offered although the host keeps back all units",
        |books| {
            let NightRow { room, night, .. } = books.nights[2].clone();
            books.blocked.push(BlockedRow { room, night, units: 1 });
        },
        &[Rule::RoomsKnown],
    ),
    (
        "reservation does not know that a host keeps back a night",
        |books| {
            let room = books.nights[0].room;
            books.blocked.push(BlockedRow { room, night: "2027-12-24".to_owned(), units: 1 });
        },
        &[Rule::RoomsKnown],
    ),
    ("reservation knows no room", |books| books.known_rooms.clear(), &[Rule::RoomsKnown]),
    ("a room is sold in an older version", |books| books.known_rooms[0].version -= 1, &[Rule::RoomsKnown]),
    ("a night's capacity is above its offer", |books| books.nights[0].capacity = 2, &[Rule::Capacity]),
];

const CASES: &[Break] = &[
    (
        "a stay costs more than was paid",
        |books| {
            books.cases[at::CONFIRMED].total_minor += 1;
            pages_of(books, at::CONFIRMED).for_each(|booking| booking.case.total_minor += 1);
        },
        &[Rule::PaidOnce],
    ),
    (
        "another user paid",
        |books| payment_of(books, at::CONFIRMED).bill.as_mut().unwrap().0.payer = "users/stranger".to_owned(),
        &[Rule::PaidOnce],
    ),
    (
        "a stay was confirmed on a declined payment",
        |books| {
            books.cases[at::REJECTED].state = State::Confirmed;
            books.nights[2 * at::REJECTED..][..2].iter_mut().for_each(|night| night.taken = 1);
            stay_of(books, at::REJECTED).stay.occupancy = Occupancy::Charged;
            pages_of(books, at::REJECTED).for_each(|booking| {
                (booking.case.state, booking.case.course) = ("CONFIRMED".to_owned(), "AGREED".to_owned());
            });
        },
        &[Rule::PaidOnce],
    ),
    (
        "a stay is paid by the payment of another attempt",
        |books| books.cases[at::CONFIRMED].payment = Some("payments/other".to_owned()),
        &[Rule::PaidOnce],
    ),
    (
        "a stay was paid twice",
        |books| {
            let id = Uuid::from_u128(11);
            let (payment, charge) = (payment_of(books, at::CONFIRMED).clone(), charge_of(books, at::CONFIRMED).clone());
            books.payments.push(Payment { id, ..payment });
            books.charges.push(charge);
            books.charges.last_mut().unwrap().charge.id = id.to_string();
            book(books, id, "provider", TOTAL);
            book(books, id, "payable/users/host", -TOTAL);
        },
        &[Rule::PaidOnce],
    ),
    (
        "the provider took the money twice",
        |books| charge_of(books, at::CONFIRMED).times_taken = 2,
        &[Rule::PaidOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "the provider took nothing",
        |books| charge_of(books, at::CONFIRMED).times_taken = 0,
        &[Rule::PaidOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "the provider refunded a stay that is not cancelled",
        |books| charge_of(books, at::CONFIRMED).given_back_minor = TOTAL,
        &[Rule::PaidOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "the provider refunded less than the refund amount",
        |books| books.cases[at::CANCELLED].refund_minor = Some(TOTAL + 1),
        &[Rule::RefundedOnce],
    ),
    (
        "the provider refunded a stay without a refund amount",
        |books| books.cases[at::CANCELLED].refund_minor = Some(0),
        &[Rule::RefundedOnce],
    ),
    ("a refund amount is missing", |books| books.cases[at::CANCELLED].refund_minor = None, &[Rule::RefundedOnce]),
    (
        "a refund was made twice",
        |books| {
            let mut again = refund_of(books, at::CANCELLED).clone();
            again.id = Uuid::from_u128(8);
            books.refunds.push(again);
        },
        &[Rule::RefundedOnce],
    ),
    (
        "the provider refunded a stay twice",
        |books| charge_of(books, at::CANCELLED).given_back_minor = 2 * TOTAL,
        &[Rule::RefundedOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "a declined card was charged",
        |books| charge_of(books, at::REJECTED).times_taken = 1,
        &[Rule::NothingKept, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "a payment that was approved after its stay had ended is not refunded",
        |books| {
            let (case, name) = (books.cases[at::CONFIRMED].clone(), payment_of(books, at::CONFIRMED).name());
            books.cases[at::CONFIRMED].state = State::Expired;
            assert_eq!(case.payment, Some(name));
            books.nights[..2].iter_mut().for_each(|night| night.taken = 0);
            stay_of(books, at::CONFIRMED).stay.occupancy = Occupancy::Released;
            pages_of(books, at::CONFIRMED).for_each(|booking| {
                (booking.case.state, booking.case.course) = ("EXPIRED".to_owned(), "OFF".to_owned());
            });
        },
        &[Rule::NothingKept],
    ),
    (
        "a guest paid for a stay that does not exist",
        |books| {
            books.cases.remove(at::CONFIRMED);
            let gone = books.reserved.remove(at::CONFIRMED);
            books.nights.retain(|night| night.taken == 0 || !gone.nights.contains(&night.night));
            books.stays.retain(|heard| mesh::fields::name("reservations", heard.reservation) != gone.name);
            bookings(books).retain(|booking| booking.name != gone.name);
        },
        &[Rule::Orphan],
    ),
    (
        "a stay was paid long ago and is still pending",
        |books| {
            books.cases[at::CONFIRMED].state = State::Pending;
            stay_of(books, at::CONFIRMED).stay.occupancy = Occupancy::Held;
            pages_of(books, at::CONFIRMED).for_each(|booking| {
                (booking.case.state, booking.case.course) = ("PENDING".to_owned(), "UNDECIDED".to_owned());
            });
        },
        &[Rule::Orphan],
    ),
    (
        "a hold never expires",
        |books| books.cases[at::HELD].hold_expire_micros = long_ago().as_microsecond(),
        &[Rule::HoldsEnd],
    ),
    (
        "a refund amount is above the price",
        |books| books.cases[at::CANCELLING].refund_minor = Some(TOTAL + 1),
        &[Rule::CancellationsEnd],
    ),
    (
        "a cancellation never ends",
        |books| books.cases[at::CANCELLING].update_micros = long_ago().as_microsecond(),
        &[Rule::CancellationsEnd],
    ),
    (
        "a refund was refused for good",
        |books| {
            refund_of(books, at::CANCELLING).state = RefundState::Failed;
            let given = &mut payment_of(books, at::CANCELLING).bill.as_mut().unwrap().1;
            (given.refunding, given.owed) = (given.owed, given.refunding);
        },
        &[Rule::CancellationsEnd],
    ),
];

const PAYMENTS: &[Break] = &[
    (
        "a payment's outcome stays unknown",
        |books| payment_of(books, at::PAYING).call_time = Some(long_ago()),
        &[Rule::PaymentsSettle],
    ),
    (
        "a refund's outcome stays unknown",
        |books| refund_of(books, at::CANCELLING).create_time = long_ago(),
        &[Rule::RefundsSettle],
    ),
    (
        "the provider has a charge without a payment",
        |books| {
            let mut stray = charge_of(books, at::REJECTED).clone();
            stray.charge.id = Uuid::from_u128(9).to_string();
            books.charges.push(stray);
        },
        &[Rule::ChargesKnown],
    ),
    (
        "the provider has lost its books",
        |books| books.charges.clear(),
        &[Rule::PaidOnce, Rule::RefundedOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "a late charge is booked as reversed but was not refunded",
        |books| charge_of(books, at::EXPIRED).given_back_minor = 0,
        &[Rule::VoidedUncharged, Rule::Ledger],
    ),
    (
        "a late charge was not noticed",
        |books| {
            charge_of(books, at::EXPIRED).given_back_minor = 0;
            payment_of(books, at::EXPIRED).standing.calls = 1;
            books.refunds.retain(|refund| refund.kind != Kind::Reversal);
        },
        &[Rule::VoidedUncharged],
    ),
    (
        "the reversal of a late charge failed",
        |books| {
            charge_of(books, at::EXPIRED).given_back_minor = 0;
            refund_of(books, at::EXPIRED).state = RefundState::Failed;
            let id = payment_of(books, at::EXPIRED).id;
            book(books, id, "provider", TOTAL);
            book(books, id, "guest_clearing", -TOTAL);
        },
        &[Rule::VoidedUncharged],
    ),
    ("a transaction does not balance", |books| books.unbalanced.push(Uuid::from_u128(10)), &[Rule::Ledger]),
    (
        "all ledger entries belong to one payment",
        |books| {
            let id = books.balances[0].payment_id;
            books.balances.iter_mut().for_each(|balance| balance.payment_id = id);
        },
        &[Rule::Ledger],
    ),
    ("an account has a wrong balance", |books| books.balances[0].debit_minor += 1, &[Rule::Ledger]),
    (
        "an account has no entries",
        |books| books.balances.retain(|balance| balance.account != "provider"),
        &[Rule::Ledger],
    ),
];

const EVENTS: &[Break] = &[
    ("an event was not published", |books| books.events[0].is_published = false, &[Rule::EventsPublished]),
    ("a consumer is stuck", |books| books.backlogs[0].oldest = Some(long_ago()), &[Rule::EventsHandled]),
    ("a consumer is gone", |books| books.backlogs.retain(|one| one.consumer != "room"), &[Rule::EventsHandled]),
    (
        "an event is a dead letter",
        |books| books.backlogs[0].dead_letters.push("undecodable".to_owned()),
        &[Rule::EventsHandled],
    ),
    ("an event has no correlation id", |books| books.events[0].correlation_id.clear(), &[Rule::EventsNamed]),
    (
        "an event has the correlation id of another case",
        |books| event_of(books, at::CONFIRMED).correlation_id = "another".to_owned(),
        &[Rule::EventsNamed],
    ),
    (
        "a request about a settled case has no answer",
        |books| {
            let case = books.cases[at::CONFIRMED].name.clone();
            books.open_requests.push(open_request(Some(&case), 1));
        },
        &[Rule::RequestsAnswered],
    ),
    (
        "a request waits for an attempt that is over",
        |books| {
            let held = &mut books.cases[at::HELD];
            held.payments = vec!["payments/1".to_owned(), "payments/2".to_owned()];
            let case = held.name.clone();
            books.open_requests.push(open_request(Some(&case), 1));
        },
        &[Rule::RequestsAnswered],
    ),
    (
        "a request waits for a case that does not exist",
        |books| books.open_requests.push(open_request(Some("reservations/none"), 1)),
        &[Rule::RequestsAnswered],
    ),
    (
        "a database has lost an acknowledged event",
        |books| {
            let (context, id) = ("reservation", Uuid::from_u128(4711));
            books.known.push(KnownEvent { context, id, by: "it was acknowledged to its caller" });
        },
        &[Rule::Remembered],
    ),
    (
        "a request was recorded without being answered",
        |books| books.open_requests.push(open_request(None, 0)),
        &[Rule::RequestsAnswered],
    ),
];

/// As if a context had come that no rule knows.
const UNKNOWN: &[Break] = &[
    (
        "a context without rules has published an event",
        |books| {
            let (context, subject) = ("order", "orders/1".to_owned());
            let event = OutboxEvent { context, subject, occur_time: just_now(), ..books.events[0].clone() };
            books.events.push(OutboxEvent { id: Uuid::from_u128(4712), ..event });
        },
        &[Rule::Covered],
    ),
    (
        "a context has published an event about another context's resource",
        |books| {
            let event = OutboxEvent { context: "payment", occur_time: just_now(), ..books.events[0].clone() };
            books.events.push(OutboxEvent { id: Uuid::from_u128(4713), ..event });
        },
        &[Rule::Covered],
    ),
    (
        "units are held for a kind of case without rules",
        |books| {
            let order = CaseEntry { name: "orders/1".to_owned(), ..books.cases[at::HELD].clone() };
            books.cases.push(order);
        },
        &[Rule::Covered],
    ),
    (
        "a case of a kind without rules is confirmed and was never paid",
        |books| {
            let order = CaseEntry { name: "orders/1".to_owned(), ..books.cases[at::CONFIRMED].clone() };
            books.cases.push(order);
        },
        &[Rule::Covered, Rule::PaidOnce],
    ),
    (
        "a request waits for a case of an unknown kind",
        |books| books.open_requests.push(open_request(Some("orders/1"), 1)),
        &[Rule::Covered, Rule::RequestsAnswered],
    ),
];

const TASKS: &[Break] = &[
    ("a task stands still", |books| books.tasks[0].report.turn_time = Some(long_ago()), &[Rule::TasksRun]),
    ("a task's first turn does not end", |books| books.tasks[0].report.turn_time = None, &[Rule::TasksRun]),
    ("a task fails again and again", |books| books.tasks[0].report.failures = MAX_FAILURES, &[Rule::TasksRun]),
];

/// All of them.
pub fn breaks() -> impl Iterator<Item = &'static Break> {
    [STAYS, CASES, PAYMENTS, EVENTS, UNKNOWN, CALENDAR, MY_PAGE, TASKS].into_iter().flatten()
}
