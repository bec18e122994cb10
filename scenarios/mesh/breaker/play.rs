//! How each of the troubles is played, and what has to be true of all of them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use contracts::room::v1::Room;
use jumak::house::Member;
use local_mesh::{Options, Servers};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    ALONE,
    readers::{Look, Readers},
    trouble::Trouble,
};
use crate::{
    mesh::{
        answers::{Answer, Asked, Timings, ms, reservations_of, settle},
        meters::{Meters, scraped},
        options,
    },
    support::{Inn, eventually, eventually_within, setup::Setup},
};

/// Failures in a row that open the circuit.
pub const BREAKER_FAILURES: usize = 5;
/// Calls in flight from which one more counts as a failure.
pub const BREAKER_IN_FLIGHT: usize = 16;
/// How long a trouble may take until it shows in so many failures: longest where two circuits open one after the other.
const SHOWS_WITHIN: Duration = Duration::from_secs(20);
/// How soon the circuit opens once it has all reason to.
const OPENS_WITHIN: Duration = Duration::from_secs(1);
/// How soon it closes once payment is well: its longest rest, and some time to be noticed.
const CLOSES_WITHIN: Duration = Duration::from_secs(15);
/// Between two bookings of one guest.
const BREATH: Duration = Duration::from_millis(100);
/// Asked to pay again shortly, a guest does so after this long.
const SHORTLY: Duration = Duration::from_millis(500);
/// Answers of each kind that are measured.
const MEASURED: usize = 40;
/// How much slower the slowest looks may become: what would wait for payment takes seconds.
const SLOWER: u32 = 5;
const SLACK: Duration = Duration::from_millis(250);

/// An inn in a hurry, with people in it who book.
struct Stage {
    inn: Inn,
    room: Room,
    guests: AtomicUsize,
    asked: Mutex<Vec<Asked>>,
}

impl Stage {
    async fn set(trouble: Trouble) -> Self {
        let setup = [
            ("client.timeout_ms", 1_000),
            ("client.in_flight", 24),
            ("client.breaker.consecutive_failures", BREAKER_FAILURES as i64),
            ("client.breaker.in_flight", BREAKER_IN_FLIGHT as i64),
            // Payment's own circuit then asks a provider that hangs so seldom that its "unknown", which is an answer, breaks few rows.
            ("client.breaker.open_ms", 1_000),
            ("client.breaker.max_open_ms", 2_000),
            // A payment of which nobody learns whether it was sent ends with its hold.
            ("checkout.hold_ms", 10_000),
            ("checkout.payment_timeout_ms", 1_000),
            ("checkout.settle_after_ms", 1_500),
            ("checkout.sweep_interval_ms", 100),
            ("payment.provider_timeout_ms", 600),
            ("payment.recovery_interval_ms", 100),
            ("payment.give_up_after_ms", 1_500),
        ];
        let setup = setup.into_iter().fold(scraped(Setup::new()), |setup, (key, value)| setup.with(key, value));
        let env = BTreeMap::from([(Member::PAYMENT, trouble.variables())]);
        // Its own, because some troubles are a server's.
        let servers = Servers::Own;
        let inn = Inn::in_mesh(Options { config: setup.config, env, servers, ..options() }).await;
        let room = inn.host("hana").registers_a_room(10_000).await;
        Self { inn, room, guests: AtomicUsize::default(), asked: Mutex::default() }
    }

    /// Somebody new books: nobody has more open holds than a guest may have.
    async fn books(&self, token: &str) -> Asked {
        let guest = self.inn.guest(&format!("guest-{}", self.guests.fetch_add(1, Ordering::Relaxed)));
        let sent = Instant::now();
        let answer = Answer::read(guest.books(&self.room, Some(token)).await);
        let asked = Asked { guest, sent, answered: Instant::now(), answer };
        self.lock().push(asked.clone());
        asked
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked from then on.
    fn since(&self, then: Instant) -> Vec<Asked> {
        self.lock().iter().filter(|one| one.sent >= then).cloned().collect()
    }

    fn confirmed_since(&self, then: Instant) -> Vec<Asked> {
        self.since(then).into_iter().filter(|one| matches!(one.answer, Answer::Confirmed(_))).collect()
    }
}

/// People who book one after the other.
struct Crowd {
    stop: CancellationToken,
    booking: JoinSet<()>,
}

impl Crowd {
    fn of(guests: usize, token: &'static str, stage: &Arc<Stage>) -> Self {
        let (stop, mut booking) = (CancellationToken::new(), JoinSet::new());
        for _ in 0..guests {
            let (stage, stop) = (stage.clone(), stop.clone());
            booking.spawn(async move {
                while !stop.is_cancelled() {
                    let is_booked = matches!(stage.books(token).await.answer, Answer::Confirmed(_));
                    sleep(if is_booked { BREATH } else { SHORTLY }).await;
                }
            });
        }
        Self { stop, booking }
    }

    async fn goes(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.booking.join_next().await {
            ended.expect("every answer was one that a guest may get");
        }
    }
}

/// Plays it from the first booking to the audit.
pub async fn play(trouble: Trouble) {
    let _alone = ALONE.lock().await;
    let stage = Arc::new(Stage::set(trouble).await);
    let inn = &stage.inn;
    let reader = inn.guest("reader");
    let stay = reader.books(&stage.room, Some("tok_approve")).await.expect("a stay");
    let readers = Readers::start(&reader, &stay);

    // First all is well.
    let calm_from = Instant::now();
    let calm = Crowd::of(trouble.calm_guests(), "tok_approve", &stage);
    eventually("enough is booked to compare with", || async {
        (stage.confirmed_since(calm_from).len() >= MEASURED).then_some(())
    })
    .await;
    let normal: Timings = stage.confirmed_since(calm_from).iter().map(Asked::took).collect();
    let meters = Meters::of(inn, Member::RESERVATION, 0);
    assert_eq!(meters.read().await.circuit_to_payment("open"), 0.0, "it opens for no reason");

    // Then it is not.
    let begun = Instant::now();
    trouble.begins(inn).await;
    calm.stop.cancel();
    let crowd = Crowd::of(trouble.guests(), trouble.token(), &stage);
    let opened = eventually_within(SHOWS_WITHIN, "the circuit opens", || async {
        (meters.read().await.circuit_to_payment("open") > 0.0).then(Instant::now)
    })
    .await;
    let held_off = hold_off(&stage).await;
    let refused: Timings = held_off.iter().map(Asked::took).collect();
    eventually("enough was looked at meanwhile", || async {
        let now = Instant::now();
        Look::ALL.iter().all(|look| readers.took(*look, begun, now).len() >= 2 * MEASURED).then_some(())
    })
    .await;

    // And then it is well again, of which nobody has to be told.
    trouble.ends(inn).await;
    let ended = Instant::now();
    calm.goes().await;
    crowd.goes().await;
    let calm = Crowd::of(trouble.calm_guests(), "tok_approve", &stage);
    let back = eventually_within(CLOSES_WITHIN, "bookings are paid again", || async {
        let first = stage.confirmed_since(ended).into_iter().map(|one| one.answered).min()?;
        (meters.read().await.circuit_to_payment("closed") > 0.0).then_some(first)
    })
    .await;
    calm.goes().await;

    let asked = stage.since(begun);
    let late = trouble.threshold(&asked).map(|threshold| opened.saturating_duration_since(threshold));
    println!(
        "{trouble:?}: opened {} after the trouble began and {} after the threshold; booking takes {}, being held off {} (medians); \
         paid again {} after the trouble was over",
        ms(opened - begun),
        late.map_or_else(|| "before any time".to_owned(), ms),
        ms(normal.median()),
        ms(refused.median()),
        ms(back.saturating_duration_since(ended)),
    );
    assert!(late.unwrap_or_default() <= OPENS_WITHIN, "it opened {late:?} after the threshold");
    assert!(refused.median() * 2 < normal.median(), "being held off is no quicker than booking");
    for look in Look::ALL {
        let (before, during) = (readers.took(look, calm_from, begun), readers.took(look, begun, ended));
        println!(
            "  {look:?}: p99 {} before, {} meanwhile ({} looks)",
            ms(before.p99()),
            ms(during.p99()),
            during.len()
        );
        assert!(during.p99() <= before.p99() * SLOWER + SLACK, "{look:?} has become slow");
    }
    readers.stop().await;

    let mut all = stage.since(calm_from);
    all.push(Asked { guest: reader, sent: calm_from, answered: calm_from, answer: Answer::Confirmed(stay.name) });
    let booked = settle(inn, &all).await;
    println!("  {} asked, {booked} are booked, charged and in order", all.len());
    Arc::into_inner(stage).expect("nobody is on it any more").inn.close().await;
}

/// Guests who are held off while the circuit is open: none of them has a reservation, not even one that was given up.
async fn hold_off(stage: &Stage) -> Vec<Asked> {
    let mut held_off = Vec::new();
    let deadline = Instant::now() + CLOSES_WITHIN;
    while held_off.len() < MEASURED {
        assert!(Instant::now() < deadline, "only {} were held off", held_off.len());
        let asked = stage.books("tok_approve").await;
        if asked.answer == Answer::HeldOff {
            held_off.push(asked);
        }
    }
    for one in &held_off {
        assert_eq!(reservations_of(&one.guest).await, [], "something was held for somebody who was held off");
    }
    held_off
}
