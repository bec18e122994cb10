//! The workloads: booking, cancelling, reading.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use clap::ValueEnum;
use contracts::{
    mypage::v1::{Booking, GetBookingRequest},
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, GetReservationRequest, Reservation,
        WatchReservationRequest, reservation::State, reservation_service_client::ReservationServiceClient,
    },
    room::v1::{SearchRoomsRequest, SearchRoomsResponse},
    types::v1::PaymentMethod,
};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Status};

use super::{drive::Operate, outcome::Outcome, setup::Stock};
use crate::demo::people::{AuthorizedChannel, Person};

/// The deadline of one call.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long my page may take to show a booking.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const SHOWN_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// In the mix, one of this many operations is a booking.
const MIX: u64 = 10;

/// The operations to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// CreateReservation with a card: held, paid and confirmed in one call
    Book,
    /// A booking, and its cancellation until it is refunded and CANCELLED
    Cancel,
    /// Existing data: of four calls two GetReservation, one GetBooking, one SearchRooms
    Read,
    /// One booking in ten operations; the others read
    Mix,
}

impl Workload {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Cancel => "cancel",
            Self::Read => "read",
            Self::Mix => "mix",
        }
    }

    /// Whether guests need bookings before the load begins.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Mix)
    }
}

/// The guests of one client.
#[derive(Clone, Debug)]
pub struct Party {
    /// The guests. They book in turn, because a real guest does not book a thousand rooms, and each booking reads the guest's earlier ones.
    /// The first guest reads.
    pub people: Vec<Person>,
    /// The rooms and nights that can be booked.
    pub stock: Arc<Stock>,
    /// Makes this run's request ids unique.
    pub run: String,
    /// The reservations that the first guest had before the load.
    pub booked: Vec<String>,
    /// The newest confirmed reservation, with the number of its operation. Clones share it.
    pub newest: Arc<Mutex<Option<(u64, Reservation)>>>,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its guests.
    pub party: Party,
    /// Its workload.
    pub workload: Workload,
}

impl Operate for Client {
    async fn operate(&self, number: u64) -> Outcome {
        let mut outcome = Outcome::default();
        let done = match self.workload {
            Workload::Book => self.party.book(number, &mut outcome).await.map(|_| ()),
            Workload::Cancel => self.party.book_and_cancel(number, &mut outcome).await,
            Workload::Read => self.party.read(number, &mut outcome).await,
            Workload::Mix if number.is_multiple_of(MIX) => self.party.book(number, &mut outcome).await.map(|_| ()),
            Workload::Mix => self.party.read(number, &mut outcome).await,
        };
        if done.is_none() && outcome.failure.is_none() {
            outcome.failure = Outcome::failed("UNEXPECTED_ANSWER").failure;
        }
        outcome
    }
}

impl Party {
    /// The request for stay `number`.
    pub fn wish(&self, number: u64) -> Option<CreateReservationRequest> {
        Some(CreateReservationRequest {
            reservation: Some(self.stock.wish(number).ok()?),
            payment_method: Some(PaymentMethod { token: "tok_approve".to_owned() }),
            request_id: format!("book-{number}-{}", self.run),
            ..CreateReservationRequest::default()
        })
    }

    /// The guest of operation `number`.
    fn person(&self, number: u64) -> Option<&Person> {
        let people = u64::try_from(self.people.len()).ok()?.max(1);
        self.people.get(usize::try_from(number % people).ok()?)
    }

    async fn book(&self, number: u64, outcome: &mut Outcome) -> Option<Reservation> {
        let request = with_deadline(self.wish(number)?);
        let mut client = self.person(number)?.reservations();
        // Until the answer is known. A booking that was refused after its hold may still have been charged for a moment.
        outcome.unknown = true;
        let reservation = outcome.step("CreateReservation", client.create_reservation(request)).await?;
        if reservation.state() != State::Confirmed {
            return None;
        }
        (outcome.unknown, outcome.confirmed) = (false, true);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, reservation.clone()));
        Some(reservation)
    }

    async fn book_and_cancel(&self, number: u64, outcome: &mut Outcome) -> Option<()> {
        let name = self.book(number, outcome).await?.name;
        let mut client = self.person(number)?.reservations();
        let request = CancelReservationRequest {
            name: name.clone(),
            reason: "rain".to_owned(),
            request_id: format!("cancel-{number}-{}", self.run),
            ..CancelReservationRequest::default()
        };
        outcome.step("CancelReservation", client.cancel_reservation(with_deadline(request))).await?;
        // Polling would be a load of its own; a watch reports the change when it happens.
        outcome.step("until CANCELLED", is_cancelled(client, name)).await
    }

    async fn read(&self, number: u64, outcome: &mut Outcome) -> Option<()> {
        let known = u64::try_from(self.booked.len()).ok()?.max(1);
        let reader = self.people.first()?;
        let name = self.booked.get(usize::try_from(number / 4 % known).ok()?)?.clone();
        match number % 4 {
            0 | 2 => {
                let request = with_deadline(GetReservationRequest { name });
                let mut client = reader.reservations();
                outcome.step("GetReservation", client.get_reservation(request)).await.map(|_| ())
            }
            1 => {
                let name = name.replacen("reservations/", "users/me/bookings/", 1);
                let request = with_deadline(GetBookingRequest { name, ..GetBookingRequest::default() });
                let mut client = reader.my_page();
                outcome.step("GetBooking", client.get_booking(request)).await.map(|_| ())
            }
            _ => {
                let (check_in_date, check_out_date) = self.stock.dates(number).ok()?;
                let request = SearchRoomsRequest { check_in_date, check_out_date, ..SearchRoomsRequest::default() };
                let mut client = reader.rooms();
                outcome.step("SearchRooms", client.search_rooms(with_deadline(request))).await.map(|_| ())
            }
        }
    }

    /// Makes each kind of call of `workload` once. Returns the requests with their answers, and each one's share of the operations in
    /// percent.
    pub async fn samples(&self, workload: Workload) -> anyhow::Result<Vec<(u32, Sample)>> {
        let mut samples = Vec::new();
        let (booked, read) = match workload {
            Workload::Book | Workload::Cancel => (100, [0, 0, 0]),
            Workload::Read => (0, [50, 25, 25]),
            // Every tenth operation is a booking, in the place of a GetReservation.
            Workload::Mix => (10, [40, 25, 25]),
        };
        if booked > 0 {
            let (mut outcome, request) = (Outcome::default(), self.wish(SAMPLE).context("no stay")?);
            let answer = self.book(SAMPLE, &mut outcome).await;
            let answer = answer.with_context(|| format!("the first booking failed: {:?}", outcome.failure))?;
            samples.push((booked, Sample::CreateReservation(request, answer)));
        }
        if workload.reads() {
            let name = self.booked.first().context("no booking")?;
            let reader = self.people.first().context("the party has no guest")?;
            let request = GetReservationRequest { name: name.clone() };
            let answer = reader.reservations().get_reservation(with_deadline(request.clone())).await?.into_inner();
            samples.push((read[0], Sample::GetReservation(request, answer)));
            let name = name.replacen("reservations/", "users/me/bookings/", 1);
            let request = GetBookingRequest { name, ..GetBookingRequest::default() };
            let answer = reader.my_page().get_booking(with_deadline(request.clone())).await?.into_inner();
            samples.push((read[1], Sample::GetBooking(request, answer)));
            let (check_in_date, check_out_date) = self.stock.dates(0)?;
            let request = SearchRoomsRequest { check_in_date, check_out_date, ..SearchRoomsRequest::default() };
            let answer = reader.rooms().search_rooms(with_deadline(request.clone())).await?.into_inner();
            samples.push((read[2], Sample::SearchRooms(request, answer)));
        }
        Ok(samples)
    }

    /// Waits until my page shows the newest booking of this party. My page is the last consumer to handle a booking's events.
    pub async fn is_shown(&self) -> anyhow::Result<()> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((number, reservation)) = newest else { return Ok(()) };
        let name = reservation.name.replacen("reservations/", "users/me/bookings/", 1);
        let person = self.person(number).context("the party has no guest")?;
        shown(person, name, reservation.version).await
    }
}

/// Waits until my page shows the booking in `version` or a later one. A single call waits only for a while and then answers with an older
/// version, so this repeats the call.
pub async fn shown(person: &Person, name: String, version: i64) -> anyhow::Result<()> {
    let by = Instant::now() + SHOWN_WITHIN;
    loop {
        let request = GetBookingRequest { name: name.clone(), min_version: version };
        match person.my_page().get_booking(with_deadline(request)).await {
            Ok(booking) if booking.get_ref().version >= version => return Ok(()),
            Err(status) if status.code() != Code::NotFound => {
                return Err(status).context("failed to read a booking on my page");
            }
            Ok(_) | Err(_) => {
                anyhow::ensure!(Instant::now() < by, "my page did not show a booking within {SHOWN_WITHIN:?}")
            }
        }
        sleep(SHOWN_AGAIN_AFTER).await;
    }
}

/// The number of the sample booking: one that no load reaches.
const SAMPLE: u64 = 1 << 40;

/// A request with its answer.
#[expect(clippy::large_enum_variant, reason = "there are four at most")]
#[derive(Clone, Debug)]
pub enum Sample {
    /// Reservation's CreateReservation.
    CreateReservation(CreateReservationRequest, Reservation),
    /// Reservation's GetReservation.
    GetReservation(GetReservationRequest, Reservation),
    /// My page's GetBooking.
    GetBooking(GetBookingRequest, Booking),
    /// Room's SearchRooms.
    SearchRooms(SearchRoomsRequest, SearchRoomsResponse),
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Watches until the reservation is cancelled.
async fn is_cancelled(
    mut client: ReservationServiceClient<AuthorizedChannel>,
    name: String,
) -> Result<tonic::Response<()>, Status> {
    let request = with_deadline(WatchReservationRequest { name, ..WatchReservationRequest::default() });
    let mut news = client.watch_reservation(request).await?.into_inner();
    let watching = async {
        while let Some(told) = news.message().await? {
            if told.reservation.is_some_and(|reservation| reservation.state() == State::Cancelled) {
                return Ok(tonic::Response::new(()));
            }
        }
        Err(Status::unknown("the watch ended before the reservation was cancelled"))
    };
    tokio::time::timeout(DEADLINE, watching)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("the reservation was not cancelled in time")))
}

#[cfg(test)]
mod tests;
