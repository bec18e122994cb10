//! A provider that does as it is told, and counts.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mesh::money::Money;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::domain::provider::{Call, Outcome, PaymentProvider, RefundOutcome};

/// What becomes of one call that takes money.
struct Plan {
    /// What the provider then knows under the key.
    leaves: Option<Outcome>,
    /// What its caller hears.
    says: Outcome,
    /// Whether the answer waits to be let go.
    held: bool,
}

#[derive(Default)]
struct Books {
    plans: VecDeque<Plan>,
    refund_plans: VecDeque<RefundOutcome>,
    charges: HashMap<Uuid, Outcome>,
    refunds: HashMap<(Uuid, Uuid), Option<Money>>,
    charge_calls: u32,
    refund_calls: u32,
    looks: u32,
    refuses: Option<Duration>,
    down: bool,
}

/// The provider.
pub struct Till {
    books: Mutex<Books>,
    let_go: Semaphore,
    arrived: Semaphore,
}

impl Default for Till {
    fn default() -> Self {
        Self { books: Mutex::default(), let_go: Semaphore::new(0), arrived: Semaphore::new(0) }
    }
}

impl Till {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, leaves: Option<Outcome>, says: Outcome, held: bool) {
        self.books().plans.push_back(Plan { leaves, says, held });
    }

    /// The next call is carried out and answered so.
    pub fn says(&self, outcome: Outcome) {
        self.plan(Some(outcome.clone()), outcome, false);
    }

    /// The next call is carried out, and its answer is lost.
    pub fn loses_answer(&self, outcome: Outcome) {
        self.plan(Some(outcome), Outcome::Unknown, false);
    }

    /// The next call never arrives, and is answered so.
    pub fn never_gets_it(&self, says: Outcome) {
        self.plan(None, says, false);
    }

    /// The next call is carried out, and answered when it is let go.
    pub fn holds(&self, outcome: Outcome) {
        self.plan(Some(outcome.clone()), outcome, true);
    }

    /// Waits until a call is held.
    pub async fn has_one_held(&self) {
        self.arrived.acquire().await.expect("never closed").forget();
    }

    /// Lets one held call go.
    pub fn let_go(&self) {
        self.let_go.add_permits(1);
    }

    /// Something becomes of a charge, outside any call: it arrives late, or its payer approves it.
    pub fn becomes(&self, payment: u128, outcome: Outcome) {
        self.books().charges.insert(Uuid::from_u128(payment), outcome);
    }

    /// The next refund ends so.
    pub fn refund_says(&self, outcome: RefundOutcome) {
        self.books().refund_plans.push_back(outcome);
    }

    /// The refunds that it has refused can be asked for again.
    pub fn forgets_refusals(&self) {
        self.books().refunds.retain(|_, amount| amount.is_some());
    }

    /// Calls are not even sent, until [`recovers`](Self::recovers).
    pub fn refuses(&self) {
        self.books().refuses = Some(Duration::from_secs(7));
    }

    /// Nothing gets an answer, until [`recovers`](Self::recovers).
    pub fn is_down(&self) {
        self.books().down = true;
    }

    pub fn recovers(&self) {
        let mut books = self.books();
        books.refuses = None;
        books.down = false;
    }

    pub fn charge_calls(&self) -> u32 {
        self.books().charge_calls
    }

    pub fn refund_calls(&self) -> u32 {
        self.books().refund_calls
    }

    pub fn looks(&self) -> u32 {
        self.books().looks
    }

    /// What was given back of a payment, in minor units.
    pub fn given_back(&self, payment: u128) -> i64 {
        let payment = Uuid::from_u128(payment);
        let books = self.books();
        let given = books.refunds.iter().filter(|((of, _), _)| *of == payment);
        given.filter_map(|(_, amount)| amount.map(Money::minor)).sum()
    }
}

#[async_trait]
impl PaymentProvider for Till {
    fn name(&self) -> &'static str {
        "till"
    }

    fn refuses_now(&self) -> Option<Duration> {
        self.books().refuses
    }

    async fn charge(&self, _: Call<'_>, payment: Uuid, _: Money, _: &str) -> Outcome {
        mesh::db::assert_no_transaction("the provider");
        let plan = {
            let mut books = self.books();
            books.charge_calls += 1;
            if books.down {
                return Outcome::Unknown;
            }
            if let Some(outcome) = books.charges.get(&payment) {
                return outcome.clone();
            }
            let plan = books.plans.pop_front().expect("no more calls were expected");
            if let Some(outcome) = &plan.leaves {
                books.charges.insert(payment, outcome.clone());
            }
            plan
        };
        if plan.held {
            self.arrived.add_permits(1);
            self.let_go.acquire().await.expect("never closed").forget();
        }
        plan.says
    }

    async fn look(&self, _: Call<'_>, payment: Uuid) -> Outcome {
        mesh::db::assert_no_transaction("the provider");
        let mut books = self.books();
        books.looks += 1;
        if books.down || books.refuses.is_some() {
            return Outcome::Unknown;
        }
        books.charges.get(&payment).cloned().unwrap_or(Outcome::NotFound)
    }

    async fn refund(&self, _: Call<'_>, payment: Uuid, refund: Uuid, amount: Money) -> RefundOutcome {
        mesh::db::assert_no_transaction("the provider");
        let mut books = self.books();
        books.refund_calls += 1;
        if books.down || books.refuses.is_some() {
            return RefundOutcome::Open;
        }
        match books.refunds.get(&(payment, refund)) {
            Some(Some(_)) => return RefundOutcome::Succeeded,
            Some(None) => return RefundOutcome::Failed { reason: "ACCOUNT_CLOSED".to_owned() },
            None => {}
        }
        let outcome = books.refund_plans.pop_front().unwrap_or(RefundOutcome::Succeeded);
        match &outcome {
            RefundOutcome::Failed { .. } => books.refunds.insert((payment, refund), None),
            // An answer that is lost: the money is given back all the same.
            RefundOutcome::Succeeded | RefundOutcome::Open => books.refunds.insert((payment, refund), Some(amount)),
        };
        outcome
    }
}
