//! What guests are told who book and pay, how long that took, and what it has to come to.

use std::time::Duration;

use contracts::{
    google::r#type::Money,
    provider::v1::{Charge, charge},
    reservation::v1::{ListReservationsRequest, Reservation, reservation::State},
};
use futures::StreamExt;
use tokio::time::Instant;
use tonic::Status;

use crate::support::{Inn, Person, eventually, refusal};

/// Reservations on one page at most.
pub const MAX_LISTED: usize = 100;
/// Reservations that are looked at at once.
const AT_ONCE: usize = 16;

/// What a guest is told. There is nothing else that a guest may be told, whatever is wrong with payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Booked and paid: the reservation's name.
    Confirmed(String),
    /// Payment is not asked at all, and nothing is held.
    HeldOff,
    /// Payment could not be reached; what was held is given back.
    NotSent(String),
    /// What became of the payment is not known yet.
    Pending(String),
}

impl Answer {
    /// Reads an answer. One that asks to come again says when.
    pub fn read(outcome: Result<Reservation, Status>) -> Self {
        let status = match outcome {
            Ok(reservation) => {
                assert_eq!(reservation.state(), State::Confirmed, "{reservation:#?}");
                return Self::Confirmed(reservation.name);
            }
            Err(status) => status,
        };
        let refusal = refusal(&status);
        let when = refusal.retry_after.unwrap_or_else(|| panic!("it does not say when to come again: {status:?}"));
        assert!(when > Duration::ZERO && when <= Duration::from_secs(30), "come again in {when:?}: {status:?}");
        match (refusal.reason.as_str(), refusal.metadata.get("case")) {
            ("PAYMENT_UNAVAILABLE", None) => Self::HeldOff,
            ("PAYMENT_UNAVAILABLE", Some(name)) => Self::NotSent(name.clone()),
            ("PAYMENT_PENDING", Some(name)) => Self::Pending(name.clone()),
            _ => panic!("no answer that a guest may get: {status:?}"),
        }
    }
}

/// A call for a booking, and its answer.
#[derive(Clone)]
pub struct Asked {
    /// Who asked.
    pub guest: Person,
    /// When.
    pub sent: Instant,
    /// When the answer was there.
    pub answered: Instant,
    /// The answer.
    pub answer: Answer,
}

impl Asked {
    /// How long the guest waited.
    pub fn took(&self) -> Duration {
        self.answered - self.sent
    }

    /// The reservation that the guest was told of.
    pub fn reservation(&self) -> Option<&str> {
        match &self.answer {
            Answer::Confirmed(name) | Answer::NotSent(name) | Answer::Pending(name) => Some(name),
            Answer::HeldOff => None,
        }
    }
}

/// Durations, in order.
#[derive(Clone, Debug)]
pub struct Timings(Vec<Duration>);

impl FromIterator<Duration> for Timings {
    fn from_iter<I: IntoIterator<Item = Duration>>(timings: I) -> Self {
        let mut timings: Vec<Duration> = timings.into_iter().collect();
        timings.sort_unstable();
        Self(timings)
    }
}

impl Timings {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> Duration {
        self.at(50)
    }

    pub fn p99(&self) -> Duration {
        self.at(99)
    }

    /// What so many of a hundred do not exceed.
    fn at(&self, percent: usize) -> Duration {
        let last = self.0.len().checked_sub(1).expect("something was measured");
        self.0[(self.0.len() * percent / 100).min(last)]
    }
}

/// As people read it.
pub fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

/// Waits until all that was begun has come to its end: how many are booked. Whoever was told that it is, is; who was told that
/// nothing was sent, is not; the provider has charged as many as are booked, and the books are in order.
pub async fn settle(inn: &Inn, asked: &[Asked]) -> usize {
    let ends = futures::stream::iter(asked).map(end_of).buffer_unordered(AT_ONCE);
    let booked = ends.filter(|end| std::future::ready(*end == Some(State::Confirmed))).count().await;
    let charged = eventually("the provider has charged what is booked, and nothing else", || async {
        let (charges, _) = inn.provider_books().await;
        let charged = charges.iter().filter(|charge| stands(charge)).count();
        (charged == booked).then_some(charged)
    });
    assert_eq!(charged.await, booked);
    inn.audit().await;
    booked
}

/// What became of it in the end; nothing if nothing had begun.
async fn end_of(one: &Asked) -> Option<State> {
    let name = one.reservation()?;
    let ended = eventually(format!("{name} is settled"), || async {
        let reservation = one.guest.reservation(name).await.ok()?;
        (reservation.state() != State::Pending).then_some(reservation.state())
    });
    let ended = ended.await;
    match one.answer {
        Answer::Confirmed(_) => assert_eq!(ended, State::Confirmed, "{name}: it was said to be booked"),
        Answer::NotSent(_) => assert_eq!(ended, State::Rejected, "{name}: nothing was sent"),
        Answer::Pending(_) => {
            assert!(matches!(ended, State::Confirmed | State::Rejected | State::Expired), "{name}: {ended:?}")
        }
        Answer::HeldOff => {}
    }
    Some(ended)
}

/// Whether the provider has money for it that it has not given back.
pub fn stands(charge: &Charge) -> bool {
    let units = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.units);
    let is_taken = matches!(charge.state(), charge::State::Charged | charge::State::PartlyRefunded);
    is_taken && units(&charge.amount) > units(&charge.refunded_amount)
}

/// All reservations of a guest, up to [`MAX_LISTED`].
pub async fn reservations_of(guest: &Person) -> Vec<Reservation> {
    let request = ListReservationsRequest { page_size: MAX_LISTED as i32, ..ListReservationsRequest::default() };
    guest.reservations().list_reservations(request).await.expect("a list").into_inner().reservations
}
