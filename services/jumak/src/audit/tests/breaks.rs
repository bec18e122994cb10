//! Ways to break books that are in order, each with the rules that have to notice: every fault that the originals had, and more.

use mesh::checkout::State;
use payment::domain::{
    payment::Payment,
    refund::{Kind, RefundState},
};
use room::audit::Occupancy;
use uuid::Uuid;

use super::house::{TOTAL, at, booking_of, charge_of, event_of, long_ago, payment_of, refund_of, stay_of};
use crate::audit::{OpenRequest, Reading, Rule};

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
fn book(books: &mut Reading, account: &str, minor: i64) {
    books.balances.iter_mut().find(|balance| balance.account == account).unwrap().debit_minor += minor;
}

const STAYS: &[Break] = &[
    ("a sold night counts as free", |books| books.nights[0].taken = 0, &[Rule::UnitsTaken]),
    ("a sold night is not there", |books| drop(books.nights.remove(0)), &[Rule::UnitsTaken]),
    ("a night was given back by nobody", |books| books.nights[2].taken = 1, &[Rule::UnitsTaken]),
    (
        "one night was sold twice",
        |books| {
            let sold = stay_of(books, at::CONFIRMED).clone();
            let held = stay_of(books, at::HELD);
            (held.check_in_date, held.check_out_date) = (sold.check_in_date, sold.check_out_date);
            books.reservations[at::HELD].nights = books.reservations[at::CONFIRMED].nights.clone();
            books.nights[2 * at::HELD..][..2].iter_mut().for_each(|night| night.taken = 0);
            books.nights[2 * at::CONFIRMED..][..2].iter_mut().for_each(|night| night.taken = 2);
        },
        &[Rule::Capacity],
    ),
    ("more can be taken than is offered", |books| books.nights[0].capacity = 2, &[Rule::Capacity]),
];

const CASES: &[Break] = &[
    ("a stay costs more than was paid", |books| books.reservations[at::CONFIRMED].total_minor += 1, &[Rule::PaidOnce]),
    (
        "somebody else paid",
        |books| payment_of(books, at::CONFIRMED).bill.as_mut().unwrap().0.payer = "users/stranger".to_owned(),
        &[Rule::PaidOnce],
    ),
    (
        "a stay was confirmed on a declined payment",
        |books| {
            books.reservations[at::REJECTED].state = State::Confirmed;
            books.nights[2 * at::REJECTED..][..2].iter_mut().for_each(|night| night.taken = 1);
            stay_of(books, at::REJECTED).occupancy = Occupancy::Charged;
            let case = books.reservations[at::REJECTED].name.clone();
            let shown = books.bookings.iter_mut().flatten().filter(|booking| booking.case == case);
            shown.for_each(|booking| booking.state = "CONFIRMED".to_owned());
        },
        &[Rule::PaidOnce],
    ),
    (
        "a stay is paid by the payment of another attempt",
        |books| books.reservations[at::CONFIRMED].payment = Some("payments/other".to_owned()),
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
            book(books, "provider", TOTAL);
            book(books, "payable/users/host", -TOTAL);
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
        "the provider gave the money of a sold stay back",
        |books| charge_of(books, at::CONFIRMED).given_back_minor = TOTAL,
        &[Rule::PaidOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "less came back than was promised",
        |books| books.reservations[at::CANCELLED].refund_minor = Some(TOTAL + 1),
        &[Rule::RefundedOnce],
    ),
    (
        "something came back though nothing was promised",
        |books| books.reservations[at::CANCELLED].refund_minor = Some(0),
        &[Rule::RefundedOnce],
    ),
    (
        "nobody said what comes back",
        |books| books.reservations[at::CANCELLED].refund_minor = None,
        &[Rule::RefundedOnce],
    ),
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
        "the provider gave it back twice",
        |books| charge_of(books, at::CANCELLED).given_back_minor = 2 * TOTAL,
        &[Rule::RefundedOnce, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "a declined card was charged",
        |books| charge_of(books, at::REJECTED).times_taken = 1,
        &[Rule::NothingKept, Rule::ChargesKnown, Rule::Ledger],
    ),
    (
        "an approval for a stay that had ended was never refunded",
        |books| {
            let (case, name) = (books.reservations[at::CONFIRMED].clone(), payment_of(books, at::CONFIRMED).name());
            books.reservations[at::CONFIRMED].state = State::Expired;
            assert_eq!(case.payment, Some(name));
            books.nights[..2].iter_mut().for_each(|night| night.taken = 0);
            stay_of(books, at::CONFIRMED).occupancy = Occupancy::Released;
            let shown = books.bookings.iter_mut().flatten().filter(|booking| booking.case == case.name);
            shown.for_each(|booking| booking.state = "EXPIRED".to_owned());
        },
        &[Rule::NothingKept],
    ),
    (
        "a hold is kept for ever",
        |books| books.reservations[at::HELD].hold_expire_micros = long_ago().as_microsecond(),
        &[Rule::HoldsEnd],
    ),
    (
        "a cancellation waits for ever",
        |books| books.reservations[at::CANCELLING].update_micros = long_ago().as_microsecond(),
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
        "nobody asks what became of a payment",
        |books| payment_of(books, at::PAYING).call_time = Some(long_ago()),
        &[Rule::PaymentsSettle],
    ),
    (
        "nobody asks what became of a refund",
        |books| refund_of(books, at::CANCELLING).create_time = long_ago(),
        &[Rule::RefundsSettle],
    ),
    (
        "the provider was asked by nobody",
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
        "a late charge was booked as given back, and was not",
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
        "a late charge could not be given back",
        |books| {
            charge_of(books, at::EXPIRED).given_back_minor = 0;
            refund_of(books, at::EXPIRED).state = RefundState::Failed;
            book(books, "provider", TOTAL);
            book(books, "guest_clearing", -TOTAL);
        },
        &[Rule::VoidedUncharged],
    ),
    ("a transaction does not balance", |books| books.unbalanced.push(Uuid::from_u128(10)), &[Rule::Ledger]),
    ("an account stands wrong", |books| books.balances[0].debit_minor += 1, &[Rule::Ledger]),
    ("an account was never written to", |books| drop(books.balances.remove(0)), &[Rule::Ledger]),
];

const EVENTS: &[Break] = &[
    ("an event was not published", |books| books.events[0].is_published = false, &[Rule::EventsPublished]),
    ("a consumer stands still", |books| books.backlogs[0].oldest = Some(long_ago()), &[Rule::EventsHandled]),
    (
        "an event was put aside",
        |books| books.backlogs[0].dead_letters.push("undecodable".to_owned()),
        &[Rule::EventsHandled],
    ),
    ("an event names no case", |books| books.events[0].correlation_id.clear(), &[Rule::EventsNamed]),
    (
        "an event names another case",
        |books| event_of(books, at::CONFIRMED).correlation_id = "another".to_owned(),
        &[Rule::EventsNamed],
    ),
    (
        "a request was left without its answer",
        |books| {
            let case = books.reservations[at::CONFIRMED].name.clone();
            books.open_requests.push(open_request(Some(&case), 1));
        },
        &[Rule::RequestsAnswered],
    ),
    (
        "a request waits for an attempt that was over long ago",
        |books| {
            let held = &mut books.reservations[at::HELD];
            held.payments = vec!["payments/1".to_owned(), "payments/2".to_owned()];
            let case = held.name.clone();
            books.open_requests.push(open_request(Some(&case), 1));
        },
        &[Rule::RequestsAnswered],
    ),
    (
        "a request waits for a case that nobody knows",
        |books| books.open_requests.push(open_request(Some("reservations/none"), 1)),
        &[Rule::RequestsAnswered],
    ),
    (
        "a request was recorded without being answered",
        |books| books.open_requests.push(open_request(None, 0)),
        &[Rule::RequestsAnswered],
    ),
];

const VIEWS: &[Break] = &[
    (
        "the calendar never heard of a stay",
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
    ("my page never heard of a booking", |books| drop(books.bookings.as_mut().unwrap().remove(0)), &[Rule::MyPage]),
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
    (
        "my page shows a stranger's booking",
        |books| {
            let mut shown = booking_of(books, at::CONFIRMED).clone();
            shown.user = "users/stranger".to_owned();
            books.bookings.as_mut().unwrap().push(shown);
        },
        &[Rule::MyPage],
    ),
];

/// All of them.
pub fn breaks() -> impl Iterator<Item = &'static Break> {
    [STAYS, CASES, PAYMENTS, EVENTS, VIEWS].into_iter().flatten()
}
