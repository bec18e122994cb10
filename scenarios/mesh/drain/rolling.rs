//! Every process of every context is replaced while people are served: nobody who calls as the contexts call each other, over all
//! replicas and with retries, is refused anything.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use contracts::{
    mypage::v1::GetMyPageRequest,
    reservation::v1::{CreateReservationRequest, GetReservationRequest, reservation::State},
    room::v1::{GetRoomRequest, Room, SearchRoomsRequest},
};
use jumak::house::Member;
use local_mesh::Options;
use mesh::{
    Error,
    client::{Limits, OutgoingRequest, TokenSource, Upstreams, outgoing},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    mesh::{
        answers::{MAX_LISTED, Timings, ms, reservations_of, stands},
        insisting::guest_over,
        options,
    },
    support::{
        Inn, Person, eventually,
        nights::{night, two_nights},
        switchboard::Switchboard,
    },
};

/// People who call one after the other.
const CALLERS: usize = 6;
/// Calls before the first process is replaced, and after the last one.
const CALLS: usize = 120;
/// How long one of them waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x9_every_process_is_replaced_under_load_and_no_call_fails() {
    let inn = Inn::in_mesh(Options { replicas: 2, ..options() }).await;
    let room = inn.host("hana").registers_a_room(10_000).await;
    let connections = stacks(&inn).await;
    let log = Arc::new(Log::default());
    let (stop, mut callers) = (CancellationToken::new(), JoinSet::new());
    let guests: Vec<Person> =
        (0..CALLERS).map(|number| guest_over(&inn, &connections, &format!("guest-{number}"))).collect();
    for guest in guests {
        let caller = Caller { guest, room: room.clone(), log: log.clone() };
        let stop = stop.clone();
        callers.spawn(async move {
            let mut booked = 0;
            while !stop.is_cancelled() {
                caller.goes_round(booked).await;
                booked += 1;
            }
            (caller.guest, booked)
        });
    }
    log.grows_by(CALLS).await;
    // The provider is another company's.
    for member in Member::ALL.into_iter().filter(|member| member.uses_bus()) {
        for number in 0..2 {
            let begun = Instant::now();
            let mut mesh = inn.mesh().await;
            let replica = mesh.replica(member, number).expect("a replica");
            replica.terminate().expect("it runs");
            let status = replica.ends().await.expect("it ends");
            assert!(status.success(), "{replica} ended with {status}: {}", replica.said());
            replica.start_again().expect("it starts again");
            replica.ready().await.expect("it is ready");
            println!("{replica} was replaced in {}", ms(begun.elapsed()));
        }
    }
    log.grows_by(CALLS).await;
    stop.cancel();
    let served = callers.join_all().await;

    let (answered, failed) = log.sums();
    let all = answered.len() + failed.len();
    println!(
        "{all} calls while every process was replaced, {:.2} % answered; median {}, p99 {}",
        answered.len() as f64 * 100.0 / all as f64,
        ms(answered.median()),
        ms(answered.p99()),
    );
    assert!(failed.is_empty(), "{failed:#?}");
    for (guest, booked) in &served {
        let reservations = reservations_of(guest).await;
        assert!(reservations.iter().all(|one| one.state() == State::Confirmed), "{reservations:#?}");
        assert_eq!(reservations.len(), MAX_LISTED.min(*booked), "something was booked twice, or is gone");
    }
    let booked: usize = served.iter().map(|(_, booked)| booked).sum();
    let (charges, _) = inn.provider_books().await;
    assert_eq!(charges.iter().filter(|charge| stands(charge)).count(), booked);
    inn.audit().await;
    inn.close().await;
}

/// What was answered, how quickly, and what was not.
#[derive(Default)]
struct Log {
    calls: AtomicUsize,
    answered: Mutex<Vec<Duration>>,
    failed: Mutex<Vec<(&'static str, Status)>>,
}

impl Log {
    fn note<T>(&self, what: &'static str, begun: Instant, outcome: Result<T, Status>) -> Option<T> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(answer) => {
                self.answered.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
                Some(answer)
            }
            Err(status) => {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).push((what, status));
                None
            }
        }
    }

    async fn grows_by(&self, calls: usize) {
        let enough = self.calls.load(Ordering::Relaxed) + calls;
        eventually("people are served", || async { (self.calls.load(Ordering::Relaxed) >= enough).then_some(()) })
            .await;
    }

    fn sums(&self) -> (Timings, Vec<(&'static str, Status)>) {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        (answered.iter().copied().collect(), failed.clone())
    }
}

struct Caller {
    guest: Person,
    room: Room,
    log: Arc<Log>,
}

impl Caller {
    /// Looks for a room, books it, and looks at what was booked.
    async fn goes_round(&self, number: usize) {
        let mut rooms = self.guest.rooms();
        let search = SearchRoomsRequest {
            check_in_date: night(0).to_string(),
            check_out_date: night(2).to_string(),
            ..SearchRoomsRequest::default()
        };
        self.log.note("SearchRooms", Instant::now(), rooms.search_rooms(repeatable(search)).await);
        let room = GetRoomRequest { name: self.room.name.clone() };
        self.log.note("GetRoom", Instant::now(), rooms.get_room(repeatable(room)).await);

        let token = if number.is_multiple_of(2) { "tok_approve" } else { "tok_slow_500" };
        let request =
            CreateReservationRequest { request_id: format!("stay-{number}"), ..two_nights(&self.room, Some(token)) };
        let (begun, mut reservations) = (Instant::now(), self.guest.reservations());
        let stay = reservations.create_reservation(repeatable(request)).await;
        let Some(stay) = self.log.note("CreateReservation", begun, stay) else { return };
        let request = GetReservationRequest { name: stay.into_inner().name };
        self.log.note("GetReservation", Instant::now(), reservations.get_reservation(repeatable(request)).await);

        let page = GetMyPageRequest { name: "users/me/myPage".to_owned() };
        self.log.note("GetMyPage", Instant::now(), self.guest.my_page().get_my_page(repeatable(page)).await);
    }
}

/// A call that may be sent twice, and says so.
fn repeatable<T>(message: T) -> OutgoingRequest<T> {
    outgoing(message, "rolling", Instant::now() + PATIENCE).idempotent()
}

/// The client stack of a context that calls all of them.
async fn stacks(inn: &Inn) -> Switchboard {
    let mesh = inn.mesh().await;
    let mut builder = Upstreams::builder("edge", Arc::new(NoToken), Limits::default());
    for replica in mesh.replicas() {
        let address = format!("http://{}", replica.address());
        builder = builder.address(replica.member().name(), &address).expect("an address");
    }
    let upstreams = builder.build();
    let stacks: BTreeMap<_, _> =
        Member::ALL.iter().map(|member| (member.name(), upstreams.get(member.name()).expect("a stack"))).collect();
    Switchboard::Stacks(Arc::new(stacks))
}

/// Everybody who calls brings their own.
struct NoToken;

impl TokenSource for NoToken {
    fn token(&self, callee: &str) -> Result<String, Error> {
        Err(Error::Internal(format!("a call to {callee} came without a token")))
    }
}
