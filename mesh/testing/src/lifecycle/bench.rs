//! A context's lifecycle on a real database, with a clock that the test sets and a till instead of payment.

use std::{sync::Arc, time::Duration};

use contracts::payment::v1::{Payment, PaymentApproved, PaymentDeclined, PaymentVoided, payment};
use jiff::{SignedDuration, Timestamp};
use mesh_bus::policies::Handled;
use mesh_checkout::checkout::{
    Asks, By, Cancels, Case, Cases, Cause, Checkout, Closing, Fact, Scope, Settings, State, Verdict, machine::Outcome,
    payment_name, store::page,
};
use mesh_foundation::{
    background::Background,
    call::{Actor, Caller, Principal, Role},
    clock::Clock,
    error::Error,
    event::Event,
};
use mesh_store::{
    db::Database,
    requests::{Answer, Request},
    store::entity::outbox,
};
use sea_orm::{ConnectionTrait, EntityName, EntityTrait, QueryOrder};
use servers::engine::FreshDatabase;

use super::{CaseOf, Seller, till::Till};

/// How long a moment is looked for.
const HOURS: i64 = 24 * 400;

/// The facts, by the names that the rules have for them.
const FACTS: [(Fact, &str); 9] = [
    (Fact::Held, "Held"),
    (Fact::Confirmed, "Confirmed"),
    (Fact::Rejected, "Rejected"),
    (Fact::Expired, "Expired"),
    (Fact::CancelAsked, "CancelAsked"),
    (Fact::CancelRefused, "CancelRefused"),
    (Fact::CancelRequested, "CancelRequested"),
    (Fact::Cancelled, "Cancelled"),
    (Fact::RefundRequested(1), "RefundRequested"),
];

/// A moment in the life of a paid case, at which another rule begins to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The payer can cancel, and gets nothing back.
    NothingBack,
    /// The payer can cancel no more.
    Closed,
    /// It can be said that the payer did not come.
    NoShow,
}

/// Everything that a rule touches. What is not said of a caller is done by `users/alice`.
pub struct Bench<S: Seller> {
    /// The context.
    pub seller: S,
    /// Its database.
    pub database: Database,
    /// The time, which stands still until the test moves it.
    pub clock: Clock,
    /// What goes on without its caller.
    pub background: Background,
    /// Payment.
    pub till: Arc<Till>,
    /// The lifecycle.
    pub checkout: Checkout<S::Cases>,
    kept: FreshDatabase,
}

impl<S: Seller> Bench<S> {
    /// A context that offers so many units.
    pub async fn with_units(units: u32) -> Self {
        let kept = FreshDatabase::new().await.unwrap();
        let database = Database::connect(kept.url(), 4).await.unwrap();
        S::SCHEMA.migrate(&database).await.unwrap();
        let seller = S::open(&database, units).await;
        let (clock, background, till) = (Clock::manual(S::begin()), Background::new(), Arc::new(Till::default()));
        let checkout = Checkout::new(
            S::cases(&database),
            database.clone(),
            till.clone(),
            settings(),
            clock.clone(),
            background.clone(),
        );
        Self { seller, database, clock, background, till, checkout, kept }
    }

    /// One more replica, which has its own connections and knows nothing of the others.
    pub async fn replica(&self) -> Checkout<S::Cases> {
        self.replica_with(settings()).await
    }

    /// One more replica, with these settings.
    pub async fn replica_with(&self, settings: Settings) -> Checkout<S::Cases> {
        let database = Database::connect(self.kept.url(), 4).await.unwrap();
        Checkout::new(
            S::cases(&database),
            database,
            self.till.clone(),
            settings,
            self.clock.clone(),
            self.background.clone(),
        )
    }

    /// Moves the time on.
    pub fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Moves the time on to that instant.
    pub fn wait_until(&self, at: Timestamp) {
        self.clock.advance(at.duration_since(self.clock.now()));
    }

    /// Moves the time on to that moment of the case, to the hour; false if the context says that its cases never come to it.
    pub async fn comes_to(&self, name: &str, moment: Moment) -> bool {
        let (case, now) = (self.read(name).await, self.clock.now());
        let is_there = |now: Timestamp| match moment {
            Moment::NothingBack => case.closing(By::Guest, now) == Closing::Open && case.refund_at(now).is_zero(),
            Moment::Closed => case.closing(By::Guest, now) != Closing::Open,
            Moment::NoShow => case.may_be_no_show(now),
        };
        let found = (0..HOURS).map(|hours| now + SignedDuration::from_hours(hours)).find(|at| is_there(*at));
        assert_eq!(found.is_none(), S::NEVER.contains(&moment), "{moment:?} comes at {found:?}");
        if let Some(at) = found {
            self.wait_until(at);
        }
        found.is_some()
    }

    /// A new case for that payer, not stored.
    pub async fn case(&self, caller: &Caller) -> CaseOf<S> {
        self.seller.case(&self.database, caller.user().unwrap(), self.clock.now()).await
    }

    /// Begins a new case, and returns its name with the answer.
    pub async fn begin(
        &self,
        caller: &Caller,
        token: Option<&str>,
        request: Option<Request>,
    ) -> (String, Result<Answer, Error>) {
        let case = self.case(caller).await;
        let name = case.record().name.clone();
        (name, create(&self.checkout, case, token, request, caller).await)
    }

    /// Begins a new case that comes about, and which the answer shows as it then stands.
    pub async fn sold(&self, token: Option<&str>) -> CaseOf<S> {
        let (name, outcome) = self.begin(&caller("alice"), token, None).await;
        let (bytes, case) = (answered(outcome), self.read(&name).await);
        assert_eq!(bytes, self.shown(&case), "the answer shows {name}");
        case
    }

    /// Begins a new case with that token, expects that reason for a refusal, and returns the case's name.
    pub async fn refused(&self, token: &str, expected: &str) -> String {
        let (name, outcome) = self.begin(&caller("alice"), Some(token), None).await;
        assert_eq!(reason(outcome), expected);
        name
    }

    /// Pays for a hold.
    pub async fn pay(&self, name: &str, token: &str) -> Result<Answer, Error> {
        let payer = caller("alice");
        let scope = Scope::Payer(payer.user().unwrap().to_owned());
        self.checkout.pay(name, scope, token.to_owned(), None, &payer).await
    }

    /// Cancels as the payer.
    pub async fn cancel(&self, name: &str) -> Result<Answer, Error> {
        self.cancel_as(name, Asks::User("users/alice"), None).await
    }

    /// Cancels as somebody, for some cause.
    pub async fn cancel_as(&self, name: &str, asks: Asks<'_>, cause: Option<Cause>) -> Result<Answer, Error> {
        let cancels = Cancels { asks, cause, reason: "plans changed", waits: Duration::ZERO };
        self.checkout.cancel(name, Scope::All, cancels, None, &actor()).await
    }

    /// Hears from those who fulfil the case what they say to its cancellation.
    pub async fn hears_verdict(&self, name: &str, verdict: Verdict) -> CaseOf<S> {
        judge_at::<S>(&self.checkout, &self.database, name, verdict).await
    }

    /// Has the sweeper look once; returns how many cases it took up.
    pub async fn sweep(&self) -> usize {
        self.checkout.sweep_once().await.unwrap()
    }

    /// The case as it stands.
    pub async fn read(&self, name: &str) -> CaseOf<S> {
        self.checkout.get(name, &Scope::All).await.unwrap()
    }

    /// The state of the case.
    pub async fn state(&self, name: &str) -> State {
        self.read(name).await.record().state()
    }

    /// The case as it is answered with.
    pub fn shown(&self, case: &CaseOf<S>) -> Vec<u8> {
        self.checkout.cases().answer(case)
    }

    /// How many cases there are.
    pub async fn count(&self) -> usize {
        page::<S::Cases>(self.database.read(), None, 5_000).await.unwrap().len()
    }

    /// The one case that there is.
    pub async fn only(&self) -> CaseOf<S> {
        let mut all = page::<S::Cases>(self.database.read(), None, 10).await.unwrap();
        assert_eq!(all.len(), 1, "one case is there");
        all.remove(0)
    }

    /// How many more cases find a unit.
    pub async fn free(&self) -> u32 {
        self.seller.free(&self.database).await
    }

    /// Every event that was told, in order.
    pub async fn events(&self) -> Vec<Event> {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await.unwrap();
        rows.into_iter().map(Event::from).collect()
    }

    /// What was told, in order: a fact's name, or `Step` for a step of the context's own.
    pub async fn told(&self) -> Vec<&'static str> {
        let (case, actor) = (self.case(&caller("alice")).await, actor());
        // A context in which nobody but the case decides whether it can be cancelled has no word for asking.
        let kind = |fact| self.checkout.cases().event(&case, fact, &actor).ok().map(|event| event.kind);
        let kinds = FACTS.map(|(fact, word)| (kind(fact), word));
        let word = |event: Event| {
            let known = kinds.iter().find(|(kind, _)| kind.as_ref() == Some(&event.kind));
            known.map_or("Step", |(_, word)| *word)
        };
        self.events().await.into_iter().map(word).collect()
    }

    /// Hears an event of payment.
    pub async fn hear(&self, event: &Event) -> Result<Handled, Error> {
        let (checkout, payment) = (&self.checkout, &event.carried::<Payment>().unwrap());
        self.database.transact("hear", |tx| async move { checkout.hear(&tx, payment, event).await }).await
    }

    /// Hears from payment how an attempt ended.
    pub async fn hears(&self, case: &str, attempt: u32, outcome: Outcome) {
        assert_eq!(self.hear(&Self::ended(case, attempt, outcome)).await.unwrap(), Handled::Done);
    }

    /// The same in a transaction that handles other events too.
    pub async fn hears_with_others(&self, case: &str, attempt: u32, outcome: Outcome) -> Result<Handled, Error> {
        let event = &Self::ended(case, attempt, outcome);
        let (checkout, payment) = (&self.checkout, &event.carried::<Payment>().unwrap());
        let heard = self.database.transact("hear", |tx| async move {
            tx.share();
            checkout.hear(&tx, payment, event).await
        });
        heard.await
    }

    /// What payment tells of an attempt that ended so.
    fn ended(case: &str, attempt: u32, outcome: Outcome) -> Event {
        let name = payment_name(case, attempt);
        let payment = |state: payment::State, decline_reason: &str| {
            let (name, case, decline_reason) = (name.clone(), case.to_owned(), decline_reason.to_owned());
            Some(Payment { name, case, state: state.into(), decline_reason, ..Payment::default() })
        };
        let (actor, now) = (Actor::context("payment", "case"), S::begin());
        match outcome {
            Outcome::Approved => {
                let message = PaymentApproved { payment: payment(payment::State::Approved, "") };
                Event::new("payment", "payment", &name, 2, now, &actor, &message)
            }
            Outcome::Declined => {
                let message = PaymentDeclined { payment: payment(payment::State::Declined, "expired") };
                Event::new("payment", "payment", &name, 2, now, &actor, &message)
            }
            Outcome::Voided => {
                let message = PaymentVoided { payment: payment(payment::State::Voided, "") };
                Event::new("payment", "payment", &name, 2, now, &actor, &message)
            }
            Outcome::NotSent | Outcome::Unknown => panic!("payment tells of no {outcome:?}"),
        }
    }

    /// Runs a statement that the context itself never would.
    pub async fn tamper(&self, statement: &str) {
        self.database.for_migrations().execute_unprepared(statement).await.unwrap();
    }

    /// The table of the context's cases.
    pub fn table(&self) -> &'static str {
        <S::Cases as Cases>::Table::default().table_name()
    }
}

/// A replica hears from those who fulfil the case what they say to its cancellation.
pub async fn judge_at<S: Seller>(
    checkout: &Checkout<S::Cases>,
    database: &Database,
    name: &str,
    verdict: Verdict,
) -> CaseOf<S> {
    let actor = &actor();
    database.transact("judge", |tx| async move { checkout.judged_in(&tx, name, verdict, actor).await }).await.unwrap()
}

fn settings() -> Settings {
    Settings { max_open_holds: 100, ..Settings::default() }
}

/// Has one replica begin a case that is made from what still stands.
pub async fn create<C: Cases>(
    replica: &Checkout<C>,
    case: C::Case,
    token: Option<&str>,
    request: Option<Request>,
    caller: &Caller,
) -> Result<Answer, Error> {
    let created = replica.create(case, token.map(str::to_owned), request, caller).await?;
    Ok(created.expect("what the case is made from still stands"))
}

/// A guest of that name, who listens for ten seconds.
pub fn caller(name: &str) -> Caller {
    Caller {
        principal: Principal::User { name: format!("users/{name}"), roles: vec![Role::Guest] },
        correlation_id: "call".to_owned(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(10),
    }
}

/// Alice, as the cause of a change.
pub fn actor() -> Actor {
    caller("alice").actor()
}

/// The message of an answer that is no refusal.
pub fn answered(outcome: Result<Answer, Error>) -> Vec<u8> {
    match outcome {
        Ok(Answer::Ok(bytes)) => bytes,
        other => panic!("no answer: {other:?}"),
    }
}

/// The stable reason of a refusal, whether it is stored or not.
pub fn reason(outcome: Result<Answer, Error>) -> String {
    match outcome {
        Ok(Answer::Refused(refusal)) | Err(Error::Refused(refusal)) => refusal.reason.as_str().to_owned(),
        other => panic!("not refused: {other:?}"),
    }
}
