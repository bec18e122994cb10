//! A process is stopped for a while and goes on, as one that was paused or swapped out: it neither answers nor hangs up meanwhile. All
//! settings are the defaults. What is shown is how soon bookings are back, under a load that never pauses.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use contracts::{reservation::v1::reservation::State, room::v1::Room};
use jumak::house::Member;
use local_mesh::{LocalMesh, Options, Servers};
use mesh::Role;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::{answers::ms, breaker::ALONE, options};
use crate::support::{Inn, Person, eventually_within, switchboard::Switchboard};

/// Clients that book all the time.
const CLIENTS: usize = 10;
/// Between two bookings of one client, however the first one ended.
const BREATH: Duration = Duration::from_millis(100);
/// For how long the provider is stopped: long enough that circuits have failed several probes.
const LONG: Duration = Duration::from_secs(12);
/// For how long the others are.
const SHORT: Duration = Duration::from_secs(6);
/// How soon bookings are back.
const BACK: Duration = Duration::from_secs(2);
/// How long it is looked on after something goes on.
const LOOK: Duration = Duration::from_secs(5);
/// For how long bookings are counted before anything is stopped.
const BEFORE: Duration = Duration::from_secs(3);
/// Which part of the bookings that were made in a second before is made in one afterwards, at least.
const PART: usize = 4;

/// What is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Context(Member),
    Nats,
    Postgres,
    MariaDb,
}

impl Stopped {
    fn begins(self, mesh: &mut LocalMesh) {
        let stopped = match self {
            Self::Context(member) => mesh.replica(member, 0).expect("a replica").pause(),
            Self::Nats => mesh.nats().pause(),
            Self::Postgres => mesh.postgres().expect("its own").pause(),
            Self::MariaDb => mesh.mariadb().expect("its own").pause(),
        };
        stopped.expect("it ran");
    }

    fn ends(self, mesh: &mut LocalMesh) {
        let goes_on = match self {
            Self::Context(member) => mesh.replica(member, 0).expect("a replica").resume(),
            Self::Nats => mesh.nats().resume(),
            Self::Postgres => mesh.postgres().expect("its own").resume(),
            Self::MariaDb => mesh.mariadb().expect("its own").resume(),
        };
        goes_on.expect("it was stopped");
    }
}

/// Clients who book all the time, and when their bookings were made.
struct Load {
    booked: Arc<Mutex<Vec<(Instant, Person, String)>>>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    async fn begins(inn: &Arc<Inn>, room: &Room) -> Self {
        let (booked, number) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let (stop, mut clients) = (CancellationToken::new(), JoinSet::new());
        let connection = inn.connection().await;
        for _ in 0..CLIENTS {
            let (inn, room, connection) = (inn.clone(), room.clone(), connection.clone());
            let (booked, number, stop) = (booked.clone(), number.clone(), stop.clone());
            clients.spawn(async move {
                while !stop.is_cancelled() {
                    let guest = somebody_new(&inn, &connection, &number);
                    match guest.books(&room, Some("tok_approve")).await {
                        Ok(reservation) => {
                            assert_eq!(reservation.state(), State::Confirmed);
                            let one = (Instant::now(), guest, reservation.name);
                            booked.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                        }
                        Err(status) => {
                            let may_be =
                                [Code::Aborted, Code::ResourceExhausted, Code::Unavailable, Code::DeadlineExceeded];
                            assert!(may_be.contains(&status.code()), "no answer that a guest may get: {status:?}");
                        }
                    }
                    sleep(BREATH).await;
                }
            });
        }
        Self { booked, stop, clients }
    }

    /// How many bookings were made from then until then.
    fn booked(&self, from: Instant, until: Instant) -> usize {
        self.lock().iter().filter(|(at, ..)| *at >= from && *at < until).count()
    }

    /// When the first booking was made after that.
    fn first_after(&self, then: Instant) -> Option<Instant> {
        self.lock().iter().map(|(at, ..)| *at).filter(|at| *at >= then).min()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Person, String)>> {
        self.booked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that were told of a booking, and of which.
    async fn ends(mut self) -> Vec<(Instant, Person, String)> {
        self.stop.cancel();
        while let Some(client) = self.clients.join_next().await {
            client.expect("every answer was one that a guest may get");
        }
        std::mem::take(&mut *self.lock())
    }
}

/// Nobody has more open holds than a guest may have.
fn somebody_new(inn: &Inn, connection: &Switchboard, number: &AtomicUsize) -> Person {
    let name = format!("guest-{}", number.fetch_add(1, Ordering::Relaxed));
    Person::over(connection.clone(), &inn.user(&name), &inn.token(&name, &[Role::Guest]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_stopped_and_goes_on_bookings_are_back_within_two_seconds() {
    let _alone = ALONE.lock().await;
    let inn = Arc::new(Inn::in_mesh(Options { servers: Servers::Own, ..options() }).await);
    let room = inn.host("hana").registers_a_room(10_000).await;
    inn.audit().await;
    let load = Load::begins(&inn, &room).await;
    eventually_within(Duration::from_secs(20), "bookings are made", || async {
        load.first_after(Instant::now() - BEFORE)
    })
    .await;

    for (stopped, how_long) in [
        (Stopped::Context(Member::PROVIDER), LONG),
        (Stopped::Context(Member::PAYMENT), SHORT),
        (Stopped::Context(Member::ROOM), SHORT),
        (Stopped::Nats, SHORT),
        (Stopped::MariaDb, SHORT),
        (Stopped::Postgres, SHORT),
    ] {
        sleep(BEFORE).await;
        let begun = Instant::now();
        let before = load.booked(begun - BEFORE, begun) / BEFORE.as_secs() as usize;
        assert!(before >= PART, "{before} bookings in a second are too few to prove anything");
        stopped.begins(&mut *inn.mesh().await);
        sleep(how_long).await;
        stopped.ends(&mut *inn.mesh().await);
        let goes_on = Instant::now();
        sleep(LOOK).await;

        let second = |second: u64| goes_on + Duration::from_secs(second);
        let meanwhile = load.booked(begun + Duration::from_secs(1), goes_on);
        let seconds: Vec<usize> = (0..LOOK.as_secs()).map(|n| load.booked(second(n), second(n + 1))).collect();
        let first = load.first_after(goes_on).map(|at| at - goes_on);
        println!(
            "{stopped:?} for {how_long:?}: {before} bookings in a second before, {meanwhile} meanwhile, the first one after {:?}, then \
             {seconds:?}",
            first.map(ms)
        );
        assert!(first.is_some_and(|first| first <= BACK), "{stopped:?}: the first booking came after {first:?}");
        let steady = &seconds[BACK.as_secs() as usize..];
        assert!(steady.iter().all(|booked| *booked >= before / PART), "{stopped:?}: {seconds:?}");
        // Neither the bus nor a room that is known is asked for a booking.
        if [Stopped::Nats, Stopped::Context(Member::ROOM)].contains(&stopped) {
            assert!(meanwhile > 0, "{stopped:?}: nothing was booked meanwhile");
        }
    }

    let booked = load.ends().await;
    inn.audit().await;
    for (_, guest, name) in &booked {
        assert_eq!(guest.reservation(name).await.expect("it is there").state(), State::Confirmed, "{name}");
    }
    println!("{} are booked, and in order", booked.len());
    Arc::into_inner(inn).expect("nobody is in it any more").close().await;
}
