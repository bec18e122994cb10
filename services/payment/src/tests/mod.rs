//! Payment at a till whose provider does as it is told.

mod api;
mod budget;
mod ledger;
mod machine;
mod pay;
mod policies;
mod real_provider;
mod recover;
mod refund;
mod retry;
mod settings;
mod till;
mod void;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mesh::{
    Caller, Clock, Database, Error, Principal, Reason, Refusal, Role, background::Background, context::CaseOwner,
    money::Money, store::entity::outbox,
};
use sea_orm::{EntityTrait, QueryOrder};
use servers::engine::FreshDatabase;
use uuid::Uuid;

use self::till::Till;
use crate::{
    app::{App, Order, Wish},
    audit,
    domain::{
        machine::State,
        pace::Settings,
        payment::{Bill, Payment},
        provider::{Method, Outcome},
        refund::{Refund, RefundState},
    },
    store,
};

const GUEST: &str = "users/guest";
const HOST: &str = "users/host";
/// The contexts that have cases, where these tests are.
fn owners() -> [CaseOwner; 3] {
    [("reservation", "reservations"), ("order", "orders"), ("rental", "rentals")]
        .map(|(context, collection)| CaseOwner { context, collection })
}

const CASE: &str = "reservations/0190a5d8-0000-7000-8000-000000000001";

/// Everything that a test touches.
struct Bench {
    database: Database,
    clock: Clock,
    till: Arc<Till>,
    app: Arc<App>,
    kept: FreshDatabase,
}

fn now() -> Timestamp {
    "2027-04-01T00:00:00Z".parse().expect("instant")
}

fn money(minor: i64) -> Money {
    Money::new(minor, "KRW").expect("money")
}

fn bill(amount: i64) -> Bill {
    Bill { payer: GUEST.to_owned(), payee: HOST.to_owned(), amount: money(amount), earn_time: None }
}

/// An order for ₩90,000.
fn order(id: u128) -> Order {
    Order { id: Uuid::from_u128(id), case: CASE.to_owned(), bill: bill(90_000) }
}

fn charged() -> Outcome {
    Outcome::Charged {
        method: Method { kind: "card".to_owned(), brand: "visa".to_owned(), last4: "4242".to_owned() },
        reference: "ch_1".to_owned(),
    }
}

fn declined() -> Outcome {
    Outcome::Declined { reason: "INSUFFICIENT_FUNDS".to_owned() }
}

fn context(name: &str) -> Caller {
    caller(Principal::Context { name: name.to_owned() })
}

fn user(name: &str, roles: &[Role]) -> Caller {
    caller(Principal::User { name: name.to_owned(), roles: roles.to_vec() })
}

fn caller(principal: Principal) -> Caller {
    Caller {
        principal,
        correlation_id: "case-1".to_owned(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(10),
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    refusal(outcome.expect_err("a refusal")).reason
}

async fn bench() -> Bench {
    Bench::at(FreshDatabase::new().await.expect("a database"), Clock::manual(now()), Arc::default()).await
}

impl Bench {
    async fn at(kept: FreshDatabase, clock: Clock, till: Arc<Till>) -> Self {
        let database = Database::connect(kept.url(), 4).await.expect("a connection");
        crate::DESCRIPTOR.schema.migrate(&database).await.expect("migrated");
        let app = App::new(database.clone(), till.clone(), clock.clone(), Background::new(), Settings::default());
        Self { database, clock, till, app: app.expect("settings"), kept }
    }

    /// The process is killed and started again: only the database, the provider and the time go on.
    async fn restart(self) -> Self {
        let Self { database, clock, till, app, kept } = self;
        drop(app);
        database.close().await;
        Self::at(kept, clock, till).await
    }

    async fn create(&self, order: Order) -> Result<Payment, Error> {
        self.app.create(&context("reservation"), order, "tok".to_owned()).await
    }

    async fn void(&self, id: u128) -> Result<Payment, Error> {
        self.app.void(&context("reservation"), Uuid::from_u128(id), CASE).await
    }

    async fn refund(&self, id: u128, refund: u128, amount: Option<i64>) -> Result<Refund, Error> {
        let wish = Wish { payment: Uuid::from_u128(id), refund: Uuid::from_u128(refund), amount: amount.map(money) };
        self.app.refund(&context("reservation"), "reservations", wish).await
    }

    /// A payment of ₩90,000 that is approved.
    async fn approved(&self, id: u128) -> Payment {
        self.till.says(charged());
        let payment = self.create(order(id)).await.expect("a payment");
        assert_eq!(payment.state(), State::Approved);
        payment
    }

    async fn payment(&self, id: u128) -> Payment {
        let payment = store::find(self.database.read(), Uuid::from_u128(id), sea_orm::Condition::all()).await;
        payment.expect("database").expect("a payment")
    }

    async fn state(&self, id: u128) -> State {
        self.payment(id).await.state()
    }

    async fn refunds(&self) -> Vec<Refund> {
        audit::refunds(&self.database).await.expect("database")
    }

    async fn refund_states(&self) -> Vec<RefundState> {
        self.refunds().await.into_iter().map(|refund| refund.state).collect()
    }

    /// Lets `seconds` pass, one by one, with the recovery loop at work.
    async fn pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(SignedDuration::from_secs(1));
            self.settle().await;
        }
    }

    /// The recovery loop does all that is due now.
    async fn settle(&self) {
        while self.app.recover_once().await.expect("database") > 0 {}
    }

    /// What was told, in its order: the event's name, and the payment's version in it.
    async fn told(&self) -> Vec<(String, i64)> {
        let rows = outbox::Entity::find().order_by_asc(outbox::Column::Id).all(self.database.read()).await;
        rows.expect("outbox")
            .into_iter()
            .map(|row| (row.route.rsplit('.').next().unwrap_or_default().to_owned(), row.sequence))
            .collect()
    }

    async fn names_told(&self) -> Vec<String> {
        self.told().await.into_iter().map(|(name, _)| name).collect()
    }

    /// The debit balance of an account, in won.
    async fn balance(&self, account: &str) -> i64 {
        assert!(audit::unbalanced(&self.database).await.expect("database").is_empty());
        let balances = audit::balances(&self.database).await.expect("database");
        assert_eq!(balances.iter().map(|balance| balance.debit_minor).sum::<i64>(), 0);
        balances.iter().filter(|balance| balance.account == account).map(|balance| balance.debit_minor).sum()
    }
}
