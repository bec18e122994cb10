//! A guest who does one thing after the other, each under a request id, and repeats what was not answered.

use contracts::{
    reservation::v1::{
        CancelReservationRequest, CreateReservationRequest, ListReservationsRequest, PayReservationRequest,
        Reservation, reservation::State,
    },
    room::v1::{CreateRoomRequest, Room},
    types::v1::PaymentMethod,
};
use mesh::{Reason, Refusal, checkout};
use tonic::Status;

use crate::support::{Person, a_room, eventually, nights::two_nights};

/// One thing that a guest does.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Registers a room of their own, which is what they book then.
    Register,
    /// Books two nights and pays with this token, all or nothing.
    Book(&'static str),
    /// Holds two nights.
    Hold,
    /// Pays for what is held, with this token.
    Pay(&'static str),
    /// Cancels what is held or booked.
    Cancel,
}

/// A final answer.
pub type Answer = Result<Told, Refusal>;

/// What somebody was told who got what they asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Room(Box<Room>),
    Reservation(Box<Reservation>),
}

/// A guest and what they know.
pub struct Guest {
    pub person: Person,
    pub room: Room,
    /// Their reservation, as soon as they have heard its name.
    pub reservation: Option<String>,
}

impl Guest {
    /// Does one step after the other, as long as the server answers: the answers.
    pub async fn goes_through(&mut self, script: &[Step]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for step in script {
            match self.does(*step).await {
                Ok(told) => answers.push(Ok(told)),
                Err(status) => match Refusal::from_status(&status).filter(is_final) {
                    Some(refusal) => answers.push(Err(refusal)),
                    None => break,
                },
            }
        }
        answers
    }

    /// Does all of it again under the same request ids, each step until it has a final answer.
    pub async fn repeats(&mut self, script: &[Step]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for step in script {
            let guest = tokio::sync::Mutex::new(&mut *self);
            let answer = eventually(format!("{step:?} is answered"), || async {
                match guest.lock().await.does(*step).await {
                    Ok(told) => Some(Ok(told)),
                    Err(status) => Refusal::from_status(&status).filter(is_final).map(Err),
                }
            });
            answers.push(answer.await);
        }
        answers
    }

    async fn does(&mut self, step: Step) -> Result<Told, Status> {
        let request_id = format!("{step:?}").replace(['(', ')', '"'], "");
        if let Step::Register = step {
            let request = CreateRoomRequest { room: Some(a_room(1)), request_id };
            let room = self.person.rooms().create_room(request).await?.into_inner();
            self.room = room.clone();
            return Ok(Told::Room(Box::new(room)));
        }
        let reservation = self.asks(step, request_id).await?;
        self.reservation = Some(reservation.name.clone());
        Ok(Told::Reservation(Box::new(reservation)))
    }

    async fn asks(&self, step: Step, request_id: String) -> Result<Reservation, Status> {
        let name = self.reservation.clone().unwrap_or_default();
        let mut client = self.person.reservations();
        let answer = match step {
            Step::Register => unreachable!("a room is no reservation"),
            Step::Book(token) => {
                let request = two_nights(&self.room, Some(token));
                client.create_reservation(CreateReservationRequest { request_id, ..request }).await
            }
            Step::Hold => {
                let request = two_nights(&self.room, None);
                client.create_reservation(CreateReservationRequest { request_id, ..request }).await
            }
            Step::Pay(token) => {
                let payment_method = Some(PaymentMethod { token: token.to_owned() });
                client.pay_reservation(PayReservationRequest { name, payment_method, request_id }).await
            }
            Step::Cancel => {
                let reason = "rain".to_owned();
                client
                    .cancel_reservation(CancelReservationRequest { name, reason, request_id, ..Default::default() })
                    .await
            }
        };
        Ok(answer?.into_inner())
    }

    /// All of their reservations.
    pub async fn reservations(&self) -> Vec<Reservation> {
        let request = ListReservationsRequest { page_size: 100, ..ListReservationsRequest::default() };
        self.person.reservations().list_reservations(request).await.expect("a list").into_inner().reservations
    }

    /// Waits until nothing of theirs is on its way any more, and returns their reservations.
    pub async fn settled(&self) -> Vec<Reservation> {
        eventually("everything has settled", || async {
            let all = self.reservations().await;
            let open = all.iter().any(|one| matches!(one.state(), State::Pending | State::CancelRequested));
            (!open).then_some(all)
        })
        .await
    }
}

/// Whether asking again under the same id would change nothing.
pub fn is_final(refusal: &Refusal) -> bool {
    let temporary = [
        checkout::reasons::PAYMENT_PENDING,
        payment::reasons::PAYMENT_UNAVAILABLE,
        Reason::REQUEST_IN_PROGRESS,
        Reason::OVERLOADED,
        Reason::UPSTREAM_UNAVAILABLE,
        Reason::DEADLINE_EXCEEDED,
        Reason::STARTING,
        Reason::DRAINING,
    ];
    !temporary.contains(&refusal.reason)
}
