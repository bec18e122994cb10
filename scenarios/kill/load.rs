//! Killed at no point in particular, while guests book and cancel: every answer that was given stays true.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use contracts::reservation::v1::{CancelReservationRequest, CreateReservationRequest, Reservation, reservation::State};
use contracts::room::v1::Room;
use mesh::{Refusal, Role};
use proptest::{
    prelude::RngExt,
    test_runner::{RngAlgorithm, TestRng},
};
use tokio::task::JoinSet;
use tonic::Status;

use crate::support::{
    Person, eventually,
    nights::two_nights,
    process::{Process, audit_at_rest},
};

/// How often the process is killed.
const DEATHS: usize = 6;
/// Guests who are busy meanwhile.
const GUESTS: usize = 4;
/// Bookings and cancellations that each of them gets done between two deaths, at most.
const CALLS: usize = 12;

/// One call, which is repeated under the same id until it is answered.
#[derive(Clone, Debug)]
enum Call {
    Book,
    Cancel(String),
}

/// A guest, every answer that they got, and the call that has none yet.
struct Guest {
    name: String,
    room: Room,
    answers: Vec<(Call, Reservation)>,
    open: Option<Call>,
    /// How many answers all guests together have got.
    answered: Arc<AtomicUsize>,
}

impl Guest {
    /// Books and cancels until the process is gone or enough is done.
    async fn keeps_busy(mut self, person: Person) -> Self {
        for _ in 0..CALLS {
            let call = self.open.take().unwrap_or_else(|| self.next_call());
            match self.calls(&person, self.answers.len(), &call).await {
                Ok(reservation) => {
                    self.answers.push((call, reservation));
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                Err(status) => {
                    self.open = Some(call);
                    if Refusal::from_status(&status).is_none() {
                        break;
                    }
                }
            }
        }
        self
    }

    /// Two bookings are followed by a cancellation of the first.
    fn next_call(&self) -> Call {
        match self.answers.as_slice() {
            [.., (Call::Book, first), (Call::Book, _)] => Call::Cancel(first.name.clone()),
            _ => Call::Book,
        }
    }

    async fn calls(&self, person: &Person, number: usize, call: &Call) -> Result<Reservation, Status> {
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
        Ok(answer?.into_inner())
    }

    /// Every answer is the same when asked for again, and every reservation is what was asked for last.
    async fn checks(mut self, person: &Person) -> (usize, usize) {
        if let Some(call) = self.open.take() {
            let answer = eventually(format!("{call:?} is answered"), || async {
                self.calls(person, self.answers.len(), &call).await.ok()
            });
            let answer = answer.await;
            self.answers.push((call, answer));
        }
        let (mut booked, mut cancelled) = (0, 0);
        for (number, (call, told)) in self.answers.iter().enumerate() {
            let again = self.calls(person, number, call).await.expect("an answer that was given before");
            assert_eq!(&again, told, "call {number} of {}", self.name);
            let ends = match call {
                Call::Book if self.is_cancelled(&told.name) => continue,
                Call::Book => State::Confirmed,
                Call::Cancel(_) => State::Cancelled,
            };
            person.reservation_in(&told.name, ends).await;
            *if ends == State::Confirmed { &mut booked } else { &mut cancelled } += 1;
        }
        (booked, cancelled)
    }

    fn is_cancelled(&self, reservation: &str) -> bool {
        self.answers.iter().any(|(call, _)| matches!(call, Call::Cancel(name) if name == reservation))
    }
}

#[tokio::test]
async fn z5_no_answer_is_lost_when_the_process_is_killed_at_random_under_load() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut process = Process::start(data.path(), &[]).await;
    let host = process.person(&process.connect().await, "hana", &[Role::Host]);
    let room = host.registers_a_room(1_000).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let guest = |number| Guest {
        name: format!("guest-{number}"),
        room: room.clone(),
        answers: Vec::new(),
        open: None,
        answered: answered.clone(),
    };
    let mut guests: Vec<Guest> = (0..GUESTS).map(guest).collect();

    for _ in 0..DEATHS {
        let mut busy = JoinSet::new();
        for guest in guests.drain(..) {
            let person = process.person(&process.connect().await, &guest.name, &[Role::Guest]);
            busy.spawn(guest.keeps_busy(person));
        }
        // The moment is the dice's: after so many answers, wherever the other calls are by then.
        let enough = answered.load(Ordering::SeqCst) + dice.random_range(3..16);
        eventually("the guests have got some answers", || async {
            (answered.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
        process.kill();
        guests = busy.join_all().await;
        process = Process::start(data.path(), &[]).await;
    }

    let channel = process.connect().await;
    let (mut booked, mut cancelled) = (0, 0);
    for guest in guests {
        let person = process.person(&channel, &guest.name, &[Role::Guest]);
        let (still_booked, given_up) = guest.checks(&person).await;
        booked += still_booked;
        cancelled += given_up;
    }
    assert!(
        booked > 0 && cancelled > 0,
        "{booked} booked, {cancelled} cancelled: too little was done to prove anything"
    );
    let (charges, refunds) = process.person(&channel, "auditor", &[Role::Admin]).provider_books().await;
    assert_eq!((charges.len(), refunds.len()), (booked + cancelled, cancelled), "one charge for each, one refund");
    process.audit().await;
    process.stops().await;
    audit_at_rest(data.path());
}
