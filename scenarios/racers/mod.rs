//! Many clients want the same few units at once: nothing is sold twice, nobody is refused what is there, and nobody pays for nothing.

mod last_unit;
mod lowered_units;
mod many_units;
mod overlapping_stays;
mod same_request;

use std::time::Duration;

use contracts::reservation::v1::{CreateReservationRequest, Reservation};
use mesh::{Refusal, Role};
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::{task::JoinSet, time::Instant};
use tonic::Request;

use crate::support::{Inn, Person, SETTLES, refusal, setup::Setup, switchboard::Switchboard};

/// Connections that the racers share.
const CONNECTIONS: usize = 8;
/// How long a racer waits for one answer: as long as a server lets a call take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An inn whose calls to payment are never held off, so that no unit comes free again once it is held: who is refused can be told
/// from the end of the race.
async fn inn_that_pays_all_at_once() -> Inn {
    let generous = [
        ("client.in_flight", 1_000),
        ("client.breaker.in_flight", 1_000),
        ("client.timeout_ms", 20_000),
        ("checkout.payment_timeout_ms", 20_000),
        ("payment.provider_timeout_ms", 15_000),
        ("payment.give_up_after_ms", 30_000),
    ];
    Inn::with(generous.into_iter().fold(Setup::new(), |setup, (key, value)| setup.with(key, value))).await
}

/// So many guests, over a few connections.
async fn guests(inn: &Inn, count: usize) -> Vec<Person> {
    let mut connections: Vec<Switchboard> = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        connections.push(inn.connection().await);
    }
    let guest = |number: usize| {
        let name = format!("racer-{number}");
        let token = inn.token(&name, &[Role::Guest]);
        Person::over(connections[number % CONNECTIONS].clone(), &inn.user(&name), &token)
    };
    (0..count).map(guest).collect()
}

/// Every guest sends a request, all at once; the outcomes in the order of the guests.
async fn race(runners: Vec<(Person, CreateReservationRequest)>) -> Vec<Result<Reservation, Refusal>> {
    let mut race = JoinSet::new();
    for (number, (person, request)) in runners.into_iter().enumerate() {
        race.spawn(async move { (number, insists(&person, &request).await) });
    }
    let mut outcomes = race.join_all().await;
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Asks until the answer is final: told to come again, a client does so after the delay that it was told.
async fn insists(person: &Person, request: &CreateReservationRequest) -> Result<Reservation, Refusal> {
    let deadline = Instant::now() + SETTLES * 2;
    loop {
        let mut call = Request::new(request.clone());
        call.set_timeout(PATIENCE);
        let status = match person.reservations().create_reservation(call).await {
            Ok(reservation) => return Ok(reservation.into_inner()),
            Err(status) => status,
        };
        let refusal = refusal(&status);
        match refusal.retry_after {
            Some(delay) if Instant::now() < deadline => tokio::time::sleep(delay).await,
            _ => return Err(refusal),
        }
    }
}

/// How many units of the two usual nights a guest is told to be left.
fn units_left(refusal: &Refusal) -> i32 {
    assert_eq!(refusal.reason, reservation::reasons::ROOM_UNAVAILABLE, "{refusal:?}");
    refusal.metadata["units_left"].parse().expect("a number")
}

/// The same numbers each time.
fn dice() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}
