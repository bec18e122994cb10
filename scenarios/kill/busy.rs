//! Guests who book and cancel all the time, repeat what was not answered, and remember every answer that they got.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use contracts::{
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, ListReservationsRequest, Reservation, reservation::State,
    },
    room::v1::Room,
};
use mesh::Refusal;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    guest::is_final,
    scene::{TOTAL, standing},
};
use crate::support::{Person, eventually, nights::two_nights};

/// Answers that one guest gets in one go, at most: more than anybody waits for.
const ANSWERS: usize = 200;
/// How long a guest waits before asking again what was not answered.
const PAUSE: Duration = Duration::from_millis(50);

/// One call, which is repeated under the same id until it is answered.
#[derive(Clone, Debug)]
enum Call {
    Book,
    Cancel(String),
}

type Answer = Result<Reservation, Refusal>;

/// Guests of one room.
pub struct Crowd {
    guests: Vec<Guest>,
    answered: Arc<AtomicUsize>,
}

/// The same, at work.
pub struct Busy {
    guests: JoinSet<Guest>,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
}

/// A guest, every answer that they got, and the call that has none yet.
struct Guest {
    name: String,
    room: Room,
    answers: Vec<(Call, Answer)>,
    open: Option<Call>,
    /// How many answers all guests together have got.
    answered: Arc<AtomicUsize>,
}

/// What became of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub booked: usize,
    pub cancelled: usize,
    pub refused: usize,
}

impl Crowd {
    pub fn of(size: usize, room: &Room) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let guest = |number| Guest {
            name: format!("guest-{number}"),
            room: room.clone(),
            answers: Vec::new(),
            open: None,
            answered: answered.clone(),
        };
        Self { guests: (0..size).map(guest).collect(), answered }
    }

    /// Sets them to work, each over a connection of their own.
    pub async fn begins(self, person: impl AsyncFn(&str) -> Person) -> Busy {
        let (mut guests, stop) = (JoinSet::new(), CancellationToken::new());
        for guest in self.guests {
            let person = person(&guest.name).await;
            guests.spawn(guest.keeps_busy(person, stop.clone()));
        }
        Busy { guests, stop, answered: self.answered }
    }

    /// Everybody gets the answers that they have not got yet, each answer is the same when asked for again, every reservation is what
    /// was asked for last, and there is no other.
    pub async fn checks(&mut self, person: impl AsyncFn(&str) -> Person) -> Tally {
        let mut tally = Tally::default();
        for guest in &mut self.guests {
            let person = person(&guest.name).await;
            guest.checks(&person, &mut tally).await;
        }
        tally
    }
}

impl Busy {
    /// Waits until they have got so many answers more.
    pub async fn are_answered(&self, more: usize) {
        let enough = self.answered.load(Ordering::SeqCst) + more;
        eventually("the guests have got some answers", || async {
            (self.answered.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
    }

    /// Stops them where they are.
    pub async fn end(self) -> Crowd {
        self.stop.cancel();
        Crowd { guests: self.guests.join_all().await, answered: self.answered }
    }
}

impl Guest {
    /// Books and cancels until it is told to stop or enough is done.
    async fn keeps_busy(mut self, person: Person, stop: CancellationToken) -> Self {
        let enough = self.answers.len() + ANSWERS;
        while !stop.is_cancelled() && self.answers.len() < enough {
            let call = self.open.take().unwrap_or_else(|| self.next_call());
            match self.calls(&person, self.answers.len(), &call).await {
                Ok(answer) => {
                    self.answers.push((call, answer));
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) => {
                    self.open = Some(call);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = sleep(PAUSE) => {}
                    }
                }
            }
        }
        self
    }

    /// Two bookings are followed by a cancellation of the first.
    fn next_call(&self) -> Call {
        match self.answers.as_slice() {
            [.., (Call::Book, Ok(first)), (Call::Book, Ok(_))] => Call::Cancel(first.name.clone()),
            _ => Call::Book,
        }
    }

    /// The final answer to a call, or why there is none yet.
    async fn calls(&self, person: &Person, number: usize, call: &Call) -> Result<Answer, Status> {
        let request_id = format!("call-{number}");
        let mut client = person.reservations();
        let answer = match call {
            Call::Book => {
                let request = two_nights(&self.room, Some("tok_slow_5"));
                client.create_reservation(CreateReservationRequest { request_id, ..request }).await
            }
            Call::Cancel(name) => {
                let request = CancelReservationRequest { name: name.clone(), request_id, ..Default::default() };
                client.cancel_reservation(request).await
            }
        };
        match answer {
            Ok(reservation) => Ok(Ok(reservation.into_inner())),
            Err(status) => match Refusal::from_status(&status).filter(is_final) {
                Some(refusal) => Ok(Err(refusal)),
                None => Err(status),
            },
        }
    }

    async fn checks(&mut self, person: &Person, tally: &mut Tally) {
        if let Some(call) = self.open.take() {
            let answer = eventually(format!("{call:?} is answered"), || async {
                self.calls(person, self.answers.len(), &call).await.ok()
            });
            let answer = answer.await;
            self.answers.push((call, answer));
        }
        for (number, (call, told)) in self.answers.iter().enumerate() {
            let again = self.calls(person, number, call).await.expect("an answer that was given before");
            assert_eq!(&again, told, "call {number} of {}", self.name);
        }
        let mut expected = BTreeMap::new();
        for (call, told) in &self.answers {
            let (name, state) = match (call, told) {
                (Call::Book, Ok(booked)) => (&booked.name, State::Confirmed),
                (Call::Cancel(name), Ok(_)) => (name, State::Cancelled),
                (Call::Book, Err(_)) => {
                    tally.refused += 1;
                    continue;
                }
                (Call::Cancel(name), Err(refusal)) => panic!("{name} could not be cancelled: {refusal:?}"),
            };
            expected.insert(name.clone(), state);
        }
        let kept = eventually(format!("everything of {} is as they were told", self.name), || async {
            let mut kept = BTreeMap::new();
            for reservation in reservations(person).await {
                if reservation.state() != State::Rejected {
                    kept.insert(reservation.name.clone(), reservation.state());
                }
            }
            let settled = kept.values().all(|state| matches!(state, State::Confirmed | State::Cancelled));
            settled.then_some(kept)
        });
        assert_eq!(kept.await, expected, "what {} has, and was told", self.name);
        tally.booked += expected.values().filter(|state| **state == State::Confirmed).count();
        tally.cancelled += expected.values().filter(|state| **state == State::Cancelled).count();
    }
}

/// All of a guest's reservations.
pub async fn reservations(person: &Person) -> Vec<Reservation> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListReservationsRequest { page_size: 100, page_token, ..ListReservationsRequest::default() };
        let page = person.reservations().list_reservations(request).await.expect("a list").into_inner();
        all.extend(page.reservations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

impl Tally {
    /// Enough was done to prove something, and at the provider one charge stands for each booking, and nothing else.
    pub async fn is_charged(&self, admin: &Person) {
        assert!(self.booked > 0 && self.cancelled > 0, "too little was done to prove anything: {self:?}");
        let (charges, refunds) = admin.provider_books().await;
        assert_eq!(standing(&charges), vec![TOTAL; self.booked], "what stands at the provider");
        // What was charged for a case that had been given up by then is given back as well.
        assert!(refunds.len() >= self.cancelled, "{} refunds for {self:?}", refunds.len());
    }
}
