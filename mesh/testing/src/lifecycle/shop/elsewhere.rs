//! Rule H: a shop whose things are in a warehouse of another context, which may refuse, be late, lose its answer or be away.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_checkout::checkout::{
    Asks, Cancels, Checkout, Reserved, Reserves, Scope, Settings, State,
    store::{intent, page},
};
use mesh_foundation::{
    background::Background,
    call::Actor,
    clock::Clock,
    error::{Error, Refusal},
    event::Event,
};
use mesh_store::{
    db::Database,
    requests::{Answer, Request},
    store::entity::outbox,
};
use sea_orm::{EntityTrait, QueryOrder};
use servers::engine::FreshDatabase;
use tokio::sync::Semaphore;

use super::{Purchase, Purchases, SCHEMA, Shop, event, reasons};
use crate::lifecycle::{Seller, Till, answered, caller, create, reason};

/// What the warehouse does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Decides, and answers.
    Answers,
    /// Decides, and its answer is lost.
    LosesItsAnswer,
    /// The call arrives when nobody waits for it any more.
    ComesLate,
    /// Decides, and its caller's process dies.
    OutlivesItsCaller,
    /// Is not reached.
    IsNotReached,
    /// Decides, and answers when its caller has given up.
    AnswersAGivenUpCaller,
}

/// The other context: the holds by name, true while they hold a thing. A hold that was released stays released.
pub(super) struct Warehouse {
    things: usize,
    holds: Mutex<BTreeMap<String, bool>>,
    does: Mutex<Does>,
    calls: AtomicUsize,
    closed: AtomicBool,
    /// A call is carried out when there is a permit.
    open: Semaphore,
    /// Another replica of the shop, which gives up intents.
    shop: Mutex<Option<(Checkout<Purchases>, Clock)>>,
}

impl Warehouse {
    fn with(things: usize) -> Arc<Self> {
        Arc::new(Self {
            things,
            holds: Mutex::default(),
            does: Mutex::new(Does::Answers),
            calls: AtomicUsize::default(),
            closed: AtomicBool::default(),
            open: Semaphore::new(1_000),
            shop: Mutex::default(),
        })
    }

    /// One row for each hold, whoever comes first.
    fn decide(&self, hold: &str) -> Reserved {
        let mut holds = self.holds.lock().unwrap();
        match holds.get(hold) {
            Some(true) => Reserved::Held,
            Some(false) => Reserved::Refused(Refusal::new(reasons::SHELF_EMPTY, "the hold was released")),
            None if holds.values().filter(|held| **held).count() < self.things => {
                holds.insert(hold.to_owned(), true);
                Reserved::Held
            }
            None => Reserved::Refused(Refusal::new(reasons::SHELF_EMPTY, "the warehouse is empty")),
        }
    }

    /// Hears of a hold that nobody needs any more: also of one that it has not been asked for yet.
    fn release(&self, hold: &str) {
        self.holds.lock().unwrap().insert(hold.to_owned(), false);
    }

    fn held(&self) -> usize {
        self.holds.lock().unwrap().values().filter(|held| **held).count()
    }
}

fn hold_of(purchase: &str) -> String {
    format!("warehouses/one/holds/{purchase}")
}

#[async_trait]
impl Reserves<Purchase> for Warehouse {
    fn hold(&self, case: &Purchase) -> String {
        hold_of(&case.record.name)
    }

    async fn reserve(&self, case: &Purchase, _within: Duration) -> Reserved {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        let hold = self.hold(case);
        let does = *self.does.lock().unwrap();
        match does {
            Does::Answers => self.decide(&hold),
            Does::IsNotReached => Reserved::NotSent,
            Does::ComesLate => Reserved::Unknown,
            Does::LosesItsAnswer => {
                self.decide(&hold);
                Reserved::Unknown
            }
            Does::OutlivesItsCaller => {
                self.decide(&hold);
                panic!("the process of the caller dies here");
            }
            Does::AnswersAGivenUpCaller => {
                let decided = self.decide(&hold);
                let (shop, clock) = self.shop.lock().unwrap().take().unwrap();
                clock.advance(jiff::SignedDuration::from_secs(60));
                assert_eq!(shop.give_up_once().await.unwrap(), 1);
                decided
            }
        }
    }

    fn refuses_now(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn unavailable(&self) -> Refusal {
        Refusal::new(reasons::WAREHOUSE_UNAVAILABLE, "nothing is held and nothing is charged; try again shortly")
    }

    fn abandoned(&self, hold: &str, now: Timestamp, actor: &Actor) -> Event {
        let case = hold.strip_prefix("warehouses/one/holds/").unwrap();
        Event {
            kind: "jumak.shop.v1.PurchaseHoldAbandoned".to_owned(),
            subject: hold.to_owned(),
            time: now,
            sequence: 1,
            ..event(&purchase(case, now), "PurchaseHoldAbandoned", actor)
        }
    }
}

/// Just enough of a purchase to make an event of.
fn purchase(name: &str, now: Timestamp) -> Purchase {
    let mut record = mesh_checkout::checkout::Record::begin(super::terms("users/alice", "users/keeper"), now);
    record.name = name.to_owned();
    Purchase { record, handed_over: false }
}

/// A shop and its warehouse.
struct Bench {
    warehouse: Arc<Warehouse>,
    database: Database,
    clock: Clock,
    till: Arc<Till>,
    checkout: Checkout<Purchases>,
    kept: FreshDatabase,
}

impl Bench {
    async fn with_things(things: usize) -> Self {
        let kept = FreshDatabase::new().await.unwrap();
        let database = Database::connect(kept.url(), 4).await.unwrap();
        SCHEMA.migrate(&database).await.unwrap();
        let (warehouse, till, clock) =
            (Warehouse::with(things), Arc::new(Till::default()), Clock::manual(Shop::begin()));
        let cases = Purchases(Some(warehouse.clone()));
        let settings = Settings { max_open_holds: 100, ..Settings::default() };
        let checkout = Checkout::new(cases, database.clone(), till.clone(), settings, clock.clone(), Background::new());
        Self { warehouse, database, clock, till, checkout, kept }
    }

    /// One more replica of the shop.
    async fn replica(&self, max_open_holds: u32) -> Checkout<Purchases> {
        let database = Database::connect(self.kept.url(), 4).await.unwrap();
        let settings = Settings { max_open_holds, ..Settings::default() };
        let cases = Purchases(Some(self.warehouse.clone()));
        Checkout::new(cases, database, self.till.clone(), settings, self.clock.clone(), Background::new())
    }

    fn does(&self, does: Does) {
        *self.warehouse.does.lock().unwrap() = does;
    }

    /// Begins a case under that request id.
    async fn begin(&self, id: &str, token: Option<&str>) -> (String, Result<Answer, Error>) {
        self.begin_at(&self.checkout, id, token).await
    }

    async fn begin_at(
        &self,
        checkout: &Checkout<Purchases>,
        id: &str,
        token: Option<&str>,
    ) -> (String, Result<Answer, Error>) {
        let alice = caller("alice");
        let case = Shop("users/keeper").case(&self.database, "users/alice", self.clock.now()).await;
        let request = Request::new(&alice, "Create", id, &token.unwrap_or_default().to_owned());
        let name = case.record.name.clone();
        (name, create(checkout, case, token, request, &alice).await)
    }

    /// The same request at two replicas: the first call is at the warehouse, the second one waits for it, and `then` goes on from there.
    async fn twice(&self, then: impl Future<Output = ()>) -> [Result<Answer, Error>; 2] {
        let there = self.replica(9).await;
        self.warehouse.open.forget_permits(1_000);
        let mut first = pin!(self.begin("id-1", Some("approve")));
        let mut second = pin!(self.begin_at(&there, "id-1", Some("approve")));
        tokio::select! {
            _ = &mut first => panic!("it does not wait for the warehouse"),
            () = self.is_called(1) => {}
        }
        tokio::select! {
            _ = &mut first => panic!("it does not wait for the warehouse"),
            _ = &mut second => panic!("it does not wait for the first one"),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        let (first, second, ()) = tokio::join!(first, second, then);
        [first.1, second.1]
    }

    /// The warehouse has been called that often.
    async fn is_called(&self, times: usize) {
        while self.warehouse.calls.load(Ordering::SeqCst) < times {
            tokio::task::yield_now().await;
        }
    }

    async fn told(&self) -> Vec<String> {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await.unwrap();
        let kinds = rows.into_iter().map(|row| Event::from(row).kind);
        kinds.map(|kind| kind.trim_start_matches("jumak.shop.v1.Purchase").to_owned()).collect()
    }

    /// The warehouse hears everything that was told.
    async fn release_what_ended(&self) {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await.unwrap();
        for event in rows.into_iter().map(Event::from) {
            match event.kind.trim_start_matches("jumak.shop.v1.Purchase") {
                "HoldAbandoned" => self.warehouse.release(&event.subject),
                "Rejected" | "Expired" | "CancelRequested" | "Cancelled" => {
                    self.warehouse.release(&hold_of(&event.subject));
                }
                _ => {}
            }
        }
    }

    /// Nothing of the case is there: no row, no intent.
    async fn is_gone(&self, name: &str) {
        assert!(self.checkout.get(name, &Scope::All).await.is_err(), "{name} exists");
        assert_eq!(self.intents().await, 0, "an intent is left");
    }

    async fn intents(&self) -> usize {
        intent::page(self.database.read(), None, 100).await.unwrap().len()
    }

    async fn cases(&self) -> Vec<Purchase> {
        page::<Purchases>(self.database.read(), None, 100).await.unwrap()
    }
}

#[tokio::test]
async fn units_elsewhere_are_held_before_payment_is_asked_and_the_case_is_like_any_other() {
    let bench = Bench::with_things(1).await;
    let (name, answer) = bench.begin("id-1", Some("approve")).await;
    let case = bench.checkout.get(&name, &Scope::All).await.unwrap();
    assert_eq!(answered(answer), format!("{case:?}").into_bytes());
    assert_eq!((case.record.state(), bench.warehouse.held(), bench.intents().await), (State::Confirmed, 1, 0));
    assert_eq!(bench.told().await, ["Held", "Confirmed"]);
    let (other, sold_out) = bench.begin("id-2", Some("approve")).await;
    assert_eq!(reason(sold_out), "SHELF_EMPTY");
    bench.is_gone(&other).await;
    assert_eq!((bench.till.charges(), bench.told().await.len()), (1, 2));
    let again = answered(bench.begin("id-1", Some("approve")).await.1);
    assert_eq!((again, bench.warehouse.calls.load(Ordering::SeqCst)), (format!("{case:?}").into_bytes(), 2));
}

#[tokio::test]
async fn a_hold_without_a_payment_is_replayed_as_it_was_first_answered() {
    let bench = Bench::with_things(1).await;
    let (name, answer) = bench.begin("id-1", None).await;
    let first = answered(answer);
    assert_eq!(bench.checkout.get(&name, &Scope::All).await.unwrap().record.state(), State::Pending);
    assert_eq!(answered(bench.begin("id-1", None).await.1), first);
    assert_eq!((bench.cases().await.len(), bench.warehouse.held()), (1, 1));
}

#[tokio::test]
async fn what_was_refused_or_not_sent_leaves_nothing_and_the_same_request_may_try_again() {
    for (does, things, expected) in
        [(Does::Answers, 0, "SHELF_EMPTY"), (Does::IsNotReached, 1, "WAREHOUSE_UNAVAILABLE")]
    {
        let bench = Bench::with_things(things).await;
        bench.does(does);
        let (name, refused) = bench.begin("id-1", Some("approve")).await;
        assert_eq!(reason(refused), expected);
        bench.is_gone(&name).await;
        assert_eq!((bench.told().await.len(), bench.till.asked()), (0, 0), "nobody has to be told");
        bench.does(Does::Answers);
        let (_, again) = bench.begin("id-1", Some("approve")).await;
        if things == 0 {
            assert_eq!(reason(again), "SHELF_EMPTY");
        } else {
            answered(again);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_refused_at_once_and_the_hold_is_released_when_that_is_heard() {
    for does in [Does::LosesItsAnswer, Does::ComesLate] {
        let bench = Bench::with_things(1).await;
        bench.does(does);
        let (name, refused) = bench.begin("id-1", Some("approve")).await;
        assert_eq!(reason(refused), "WAREHOUSE_UNAVAILABLE");
        bench.is_gone(&name).await;
        assert_eq!((bench.told().await, bench.till.asked()), (vec!["HoldAbandoned".to_owned()], 0));
        bench.release_what_ended().await;
        // The call arrives after the release: it finds the door closed.
        assert!(matches!(bench.warehouse.decide(&hold_of(&name)), Reserved::Refused(_)));
        assert_eq!(bench.warehouse.held(), 0);
        bench.does(Does::Answers);
        answered(bench.begin("id-1", Some("approve")).await.1);
        assert_eq!((bench.till.charges(), bench.warehouse.held()), (1, 1));
    }
}

#[tokio::test]
async fn what_a_crash_leaves_behind_is_given_up_once_by_whichever_replica_comes_first() {
    let bench = Bench::with_things(1).await;
    bench.does(Does::OutlivesItsCaller);
    let (name, died) = bench.begin("id-1", Some("approve")).await;
    assert!(died.is_err());
    assert_eq!((bench.intents().await, bench.warehouse.held()), (1, 1));
    let replicas = [bench.replica(9).await, bench.replica(9).await, bench.replica(9).await];
    let sweep = async || {
        let swept = replicas.iter().map(|replica| async { replica.give_up_once().await.unwrap() });
        futures::future::join_all(swept).await.into_iter().sum::<usize>()
    };
    assert_eq!(sweep().await, 0, "its handler still has time");
    bench.clock.advance(jiff::SignedDuration::from_secs(60));
    assert_eq!(sweep().await, 1);
    bench.is_gone(&name).await;
    assert_eq!(bench.told().await, ["HoldAbandoned"]);
    bench.release_what_ended().await;
    bench.does(Does::Answers);
    answered(bench.begin("id-1", Some("approve")).await.1);
    assert_eq!((bench.till.charges(), bench.warehouse.held()), (1, 1));
}

#[tokio::test]
async fn whoever_was_given_up_meanwhile_begins_no_case() {
    let bench = Bench::with_things(1).await;
    *bench.warehouse.shop.lock().unwrap() = Some((bench.replica(9).await, bench.clock.clone()));
    bench.does(Does::AnswersAGivenUpCaller);
    let (name, refused) = bench.begin("id-1", Some("approve")).await;
    assert_eq!(reason(refused), "WAREHOUSE_UNAVAILABLE");
    bench.is_gone(&name).await;
    assert_eq!((bench.told().await, bench.till.asked()), (vec!["HoldAbandoned".to_owned()], 0));
    bench.release_what_ended().await;
    assert_eq!(bench.warehouse.held(), 0);
}

#[tokio::test]
async fn a_case_that_may_not_begin_abandons_what_was_held_for_it() {
    let bench = Bench::with_things(5).await;
    let shop = bench.replica(1).await;
    answered(bench.begin_at(&shop, "id-1", None).await.1);
    let (name, refused) = bench.begin_at(&shop, "id-2", None).await;
    assert_eq!(reason(refused), "TOO_MANY_HOLDS");
    bench.is_gone(&name).await;
    assert_eq!(bench.told().await, ["Held", "HoldAbandoned"]);
    bench.release_what_ended().await;
    assert_eq!(bench.warehouse.held(), 1);
}

#[tokio::test]
async fn the_same_request_sent_twice_at_once_is_one_hold_one_case_and_one_answer() {
    let bench = Bench::with_things(9).await;
    let [one, other] = bench.twice(async { bench.warehouse.open.add_permits(9) }).await;
    assert_eq!(answered(one), answered(other));
    assert_eq!((bench.cases().await.len(), bench.warehouse.calls.load(Ordering::SeqCst)), (1, 1));
    assert_eq!((bench.till.charges(), bench.warehouse.held()), (1, 1));
}

#[tokio::test]
async fn a_request_that_finds_the_first_one_given_up_tries_anew() {
    let bench = Bench::with_things(1).await;
    bench.does(Does::IsNotReached);
    let outcomes = bench.twice(async {
        bench.warehouse.open.add_permits(1);
        bench.is_called(2).await;
        bench.does(Does::Answers);
        bench.warehouse.open.add_permits(9);
    });
    let [one, other] = outcomes.await;
    assert_eq!(reason(one), "WAREHOUSE_UNAVAILABLE");
    answered(other);
    assert_eq!((bench.cases().await.len(), bench.till.charges(), bench.warehouse.held()), (1, 1, 1));
}

#[tokio::test]
async fn with_the_other_contexts_circuit_open_nothing_is_written_and_a_request_that_came_before_is_answered() {
    let bench = Bench::with_things(2).await;
    let first = answered(bench.begin("id-1", Some("approve")).await.1);
    bench.warehouse.closed.store(true, Ordering::SeqCst);
    let (name, refused) = bench.begin("id-2", Some("approve")).await;
    assert_eq!(reason(refused), "WAREHOUSE_UNAVAILABLE");
    bench.is_gone(&name).await;
    assert_eq!(bench.warehouse.calls.load(Ordering::SeqCst), 1);
    assert_eq!(answered(bench.begin("id-1", Some("approve")).await.1), first);
}

#[tokio::test]
async fn what_ends_unpaid_or_is_cancelled_releases_its_hold_by_its_event() {
    let bench = Bench::with_things(1).await;
    let (name, declined) = bench.begin("id-1", Some("decline")).await;
    assert_eq!(reason(declined), "PAYMENT_DECLINED");
    assert_eq!(bench.checkout.get(&name, &Scope::All).await.unwrap().record.state(), State::Rejected);
    assert_eq!((bench.told().await, bench.warehouse.held()), (vec!["Held".to_owned(), "Rejected".to_owned()], 1));
    bench.release_what_ended().await;
    assert_eq!(bench.warehouse.held(), 0);
    let (name, sold) = bench.begin("id-2", Some("approve")).await;
    answered(sold);
    assert_eq!(bench.warehouse.held(), 1);
    let (asks, waits) = (Asks::User("users/alice"), Duration::ZERO);
    let cancels = Cancels { asks, cause: None, reason: "", waits };
    let actor = Actor::context("shop", "case");
    answered(bench.checkout.cancel(&name, Scope::All, cancels, None, &actor).await);
    bench.release_what_ended().await;
    assert_eq!(bench.warehouse.held(), 0);
}
