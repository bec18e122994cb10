//! People who only look: they must not notice that payment is in trouble.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::{
    mypage::v1::GetMyPageRequest,
    reservation::v1::{GetReservationRequest, Reservation},
    room::v1::SearchRoomsRequest,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    mesh::answers::Timings,
    support::{Person, nights::night},
};

/// Between two looks of one person.
const BREATH: Duration = Duration::from_millis(15);

/// What they look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Reservation,
    Search,
    MyPage,
}

impl Look {
    pub const ALL: [Self; 3] = [Self::Reservation, Self::Search, Self::MyPage];
}

struct Seen {
    look: Look,
    begun: Instant,
    took: Duration,
    failed: Option<Status>,
}

/// One person for each look, until they are told to stop.
pub struct Readers {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: CancellationToken,
    reading: JoinSet<()>,
}

impl Readers {
    /// They begin: `guest` has `stay`.
    pub fn start(guest: &Person, stay: &Reservation) -> Self {
        let (seen, stop) = (Arc::<Mutex<Vec<Seen>>>::default(), CancellationToken::new());
        let mut reading = JoinSet::new();
        for look in Look::ALL {
            let (guest, name, seen, stop) = (guest.clone(), stay.name.clone(), seen.clone(), stop.clone());
            reading.spawn(async move {
                while !stop.is_cancelled() {
                    let begun = Instant::now();
                    let failed = looks(look, &guest, &name).await.err();
                    let one = Seen { look, begun, took: begun.elapsed(), failed };
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                    sleep(BREATH).await;
                }
            });
        }
        Self { seen, stop, reading }
    }

    /// How long looks took that were begun from then until then, each of which was answered.
    pub fn took(&self, look: Look, from: Instant, until: Instant) -> Timings {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let then = seen.iter().filter(|one| one.look == look && one.begun >= from && one.begun < until);
        then.map(|one| {
            assert!(one.failed.is_none(), "{look:?} failed: {:?}", one.failed);
            one.took
        })
        .collect()
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.reading.join_next().await {
            ended.expect("it looked until the end");
        }
    }
}

async fn looks(look: Look, guest: &Person, stay: &str) -> Result<(), Status> {
    match look {
        Look::Reservation => {
            let request = GetReservationRequest { name: stay.to_owned() };
            guest.reservations().get_reservation(request).await.map(drop)
        }
        Look::Search => {
            let request = SearchRoomsRequest {
                check_in_date: night(0).to_string(),
                check_out_date: night(2).to_string(),
                ..SearchRoomsRequest::default()
            };
            guest.rooms().search_rooms(request).await.map(drop)
        }
        Look::MyPage => {
            let request = GetMyPageRequest { name: "users/me/myPage".to_owned() };
            guest.my_page().get_my_page(request).await.map(drop)
        }
    }
}
