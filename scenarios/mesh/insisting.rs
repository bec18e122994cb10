//! Guests who send a request again, under its id, until it is answered.

use std::{sync::Arc, time::Duration};

use contracts::reservation::v1::{CreateReservationRequest, Reservation, reservation::State};
use jumak::house::Member;
use mesh::{Refusal, Role};
use tokio::time::{Instant, sleep};
use tonic::{Status, transport::Endpoint};

use crate::{
    kill::guest::is_final,
    support::{Inn, Person, SETTLES, switchboard::Switchboard},
};

/// Before a request is sent again, unless its answer says.
const BREATH: Duration = Duration::from_millis(100);

/// What came of insisting.
#[derive(Clone, Debug)]
pub struct Booked {
    /// Confirmed.
    pub reservation: Reservation,
    /// How often the request was sent again.
    pub again: usize,
}

/// Sends the request to one after the other, who are the same guest at several replicas, until it is booked.
pub async fn insists(at: &[Person], request: CreateReservationRequest) -> Booked {
    assert!(!request.request_id.is_empty(), "sent twice, it would be booked twice");
    let (deadline, mut again) = (Instant::now() + SETTLES * 2, 0);
    loop {
        let status = match at[again % at.len()].reservations().create_reservation(request.clone()).await {
            Ok(reservation) => {
                let reservation = reservation.into_inner();
                assert_eq!(reservation.state(), State::Confirmed, "{reservation:#?}");
                return Booked { reservation, again };
            }
            Err(status) => status,
        };
        let wait = asks_again(&status).unwrap_or_else(|| panic!("that is no answer to insist on: {status:?}"));
        assert!(Instant::now() < deadline, "it is never booked; the last answer was {status:?}");
        sleep(wait).await;
        again += 1;
    }
}

/// When it makes sense to send the request again; never if the answer is final.
fn asks_again(status: &Status) -> Option<Duration> {
    // Without a reason it is the connection's.
    let Some(refusal) = Refusal::from_status(status) else { return Some(BREATH) };
    (!is_final(&refusal)).then(|| refusal.retry_after.unwrap_or(BREATH))
}

/// Connections to one of the processes of each context; to the only one of a context that has no other.
pub async fn connections_to(inn: &Inn, replica: u16) -> Switchboard {
    let mesh = inn.mesh().await;
    let connect = |member: Member| {
        let address = mesh.address(member, replica).or_else(|_| mesh.address(member, 0)).expect("an address");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
        (member.name(), endpoint.connect_lazy())
    };
    Switchboard::Each(Arc::new(Member::ALL.into_iter().map(connect).collect()))
}

/// A guest who talks over these connections.
pub fn guest_over(inn: &Inn, connections: &Switchboard, name: &str) -> Person {
    Person::over(connections.clone(), &inn.user(name), &inn.token(name, &[Role::Guest]))
}
