//! What guests do: book, cancel, read.

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
use crate::demo::people::{Line, Person};

/// What one call may take. Bounds every wait of the benchmark.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long my page may take to show a booking.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const SHOWN_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// In the mix, one operation in so many is a booking.
const MIX: u64 = 10;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// CreateReservation, all or nothing: held, paid and confirmed when it is answered
    Book,
    /// A booking, and its cancellation until it is refunded and CANCELLED
    Cancel,
    /// Of four calls two GetReservation, one GetBooking, one SearchRooms, on what is there
    Read,
    /// One booking in ten, the others read
    Mix,
}

impl Workload {
    /// Its name, as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Cancel => "cancel",
            Self::Read => "read",
            Self::Mix => "mix",
        }
    }

    /// Whether guests need bookings before they begin.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Mix)
    }
}

/// Guests for whom one client calls.
#[derive(Clone, Debug)]
pub struct Party {
    /// Who they are. They book in turn, because nobody books a thousand rooms, and what a guest has booked before is looked through
    /// each time. The first of them reads.
    pub people: Vec<Person>,
    /// What can be booked.
    pub stock: Arc<Stock>,
    /// Tells this party's requests from everybody else's.
    pub run: String,
    /// The reservations that the first of them had before.
    pub booked: Vec<String>,
    /// The newest reservation that was answered, and the number of its operation. Clones share it.
    pub newest: Arc<Mutex<Option<(u64, Reservation)>>>,
}

/// One client at work.
#[derive(Debug)]
pub struct Client {
    /// For whom.
    pub party: Party,
    /// What it does.
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
        if done.is_none() && outcome.trouble.is_none() {
            outcome.trouble = Outcome::failed("UNEXPECTED_ANSWER").trouble;
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

    /// Who makes operation `number`.
    fn person(&self, number: u64) -> Option<&Person> {
        let people = u64::try_from(self.people.len()).ok()?.max(1);
        self.people.get(usize::try_from(number % people).ok()?)
    }

    async fn book(&self, number: u64, outcome: &mut Outcome) -> Option<Reservation> {
        let request = with_deadline(self.wish(number)?);
        let mut client = self.person(number)?.reservations();
        // Until it is answered. A refusal after the hold may still have been charged, for a moment.
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
        // A watch is told as soon as it is so: asking again and again would be a load of its own.
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

    /// The calls that `workload` is made of, each as it is made and answered here, and how many of a hundred operations are that call.
    pub async fn samples(&self, workload: Workload) -> anyhow::Result<Vec<(u32, Sample)>> {
        let mut samples = Vec::new();
        let (booked, read) = match workload {
            Workload::Book | Workload::Cancel => (100, [0, 0, 0]),
            Workload::Read => (0, [50, 25, 25]),
            // Every tenth operation is a booking, and falls on a turn for a reservation.
            Workload::Mix => (10, [40, 25, 25]),
        };
        if booked > 0 {
            let (mut outcome, request) = (Outcome::default(), self.wish(SAMPLE).context("no stay")?);
            let answer = self.book(SAMPLE, &mut outcome).await;
            let answer = answer.with_context(|| format!("the first booking did not succeed: {:?}", outcome.trouble))?;
            samples.push((booked, Sample::CreateReservation(request, answer)));
        }
        if workload.reads() {
            let name = self.booked.first().context("no booking")?;
            let reader = self.people.first().context("nobody")?;
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

    /// Waits until my page, which is the last to hear, shows the newest booking of each client.
    pub async fn is_shown(&self) -> anyhow::Result<()> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((number, reservation)) = newest else { return Ok(()) };
        let name = reservation.name.replacen("reservations/", "users/me/bookings/", 1);
        let person = self.person(number).context("nobody")?;
        shown(person, name, reservation.version).await
    }
}

/// Waits until a booking is shown in that version, or a later one. A call waits for less than that may take, and answers with what there is.
pub async fn shown(person: &Person, name: String, version: i64) -> anyhow::Result<()> {
    let by = Instant::now() + SHOWN_WITHIN;
    loop {
        let request = GetBookingRequest { name: name.clone(), min_version: version };
        match person.my_page().get_booking(with_deadline(request)).await {
            Ok(booking) if booking.get_ref().version >= version => return Ok(()),
            Err(status) if status.code() != Code::NotFound => return Err(status).context("my page did not answer"),
            Ok(_) | Err(_) => {
                anyhow::ensure!(Instant::now() < by, "my page did not hear of a booking in {SHOWN_WITHIN:?}")
            }
        }
        sleep(SHOWN_AGAIN_AFTER).await;
    }
}

/// The number of the stay that is booked to see what an answer is: none that a load comes to.
const SAMPLE: u64 = 1 << 40;

/// A call as it is made, and its answer.
#[expect(clippy::large_enum_variant, reason = "there are four at most")]
#[derive(Clone, Debug)]
pub enum Sample {
    /// Of reservation.
    CreateReservation(CreateReservationRequest, Reservation),
    /// Of reservation.
    GetReservation(GetReservationRequest, Reservation),
    /// Of my page.
    GetBooking(GetBookingRequest, Booking),
    /// Of room.
    SearchRooms(SearchRoomsRequest, SearchRoomsResponse),
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Watches until the reservation is cancelled.
async fn is_cancelled(mut client: ReservationServiceClient<Line>, name: String) -> Result<tonic::Response<()>, Status> {
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
