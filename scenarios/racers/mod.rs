//! Many clients want the same few units at once: nothing is sold twice, nobody is refused what is there, and nobody pays for nothing.

mod last_unit;
mod lowered_units;
mod many_units;
mod overlapping_stays;
mod same_request;

use std::time::Duration;

use contracts::reservation::v1::{CreateReservationRequest, Reservation};
use jumak::embedded::Options;
use mesh::{Reason, Refusal, Role, config::Config};
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::{task::JoinSet, time::Instant};
use tonic::Request;

use crate::support::{Inn, Person, SETTLES, connect, refusal};

/// Connections that the racers share.
const CONNECTIONS: usize = 8;
/// How long a racer waits for one answer: as long as a server lets a call take.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: Duration = Duration::from_secs(600);

/// An inn whose calls to payment are never held off, so that no unit comes free again once it is held: who is refused can be told
/// from the end of the race.
async fn inn_that_pays_all_at_once() -> Inn {
    let mut options = Options::ephemeral();
    options.config = generous(options.config);
    Inn::with(options).await
}

fn generous(mut config: Config) -> Config {
    config.client.in_flight = 1_000;
    config.client.breaker.in_flight = 1_000;
    config.client.timeout_ms = 20_000;
    config.checkout.payment_timeout_ms = 20_000;
    config.payment.provider_timeout_ms = 15_000;
    config.payment.give_up_after_ms = 30_000;
    config
}

/// So many guests, over a few connections.
async fn guests(inn: &Inn, count: usize) -> Vec<Person> {
    let uri = format!("http://{}", inn.system.address());
    let mut channels = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        channels.push(connect(&uri).await);
    }
    let guest = |number: usize| {
        let name = format!("racer-{number}");
        let token = inn.system.mint(&name, &[Role::Guest], TOKEN).expect("a token");
        Person::over(channels[number % CONNECTIONS].clone(), &inn.system.user(&name), &token)
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
    assert_eq!(refusal.reason, Reason::RoomUnavailable, "{refusal:?}");
    refusal.metadata["units_left"].parse().expect("a number")
}

/// The same numbers each time.
fn dice() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}
