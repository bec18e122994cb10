//! The use cases: load, decide, save with ledger and outbox.

mod pay;
mod recover;
mod refund;
mod void;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mesh::{Actor, Caller, Clock, Database, Error, Reason, Refusal, Tx, background::Background, db::Step, outbox};
use opentelemetry::KeyValue;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    CONTEXT,
    domain::{
        pace::Settings,
        payment::{Broken, Change, Payment},
        provider::PaymentProvider,
    },
    events, metrics, reasons, store,
};

pub use pay::Order;
pub use refund::{Retry, Wish};

/// The part of the caller's time that is reserved for the answer, however long the provider takes.
const ANSWER_MARGIN: Duration = Duration::from_millis(100);
/// When to pay again if the provider cannot be reached and names no time.
const PAY_AGAIN: Duration = Duration::from_secs(2);

/// Payment's use cases over its database and its provider.
pub struct App {
    database: Database,
    provider: Arc<dyn PaymentProvider>,
    clock: Clock,
    background: Background,
    settings: Settings,
    /// Wakes the recovery loop at once when a refund has been committed.
    refund_begun: Arc<Notify>,
}

impl App {
    /// The use cases over `database`, which is migrated.
    pub fn new(
        database: Database,
        provider: Arc<dyn PaymentProvider>,
        clock: Clock,
        background: Background,
        settings: Settings,
    ) -> Result<Arc<Self>, Error> {
        if settings.give_up_after <= settings.provider_timeout {
            return Err(Error::Internal(
                "payment.give_up_after must be longer than payment.provider_timeout: a call that is still waited for would be \
                 taken for lost"
                    .to_owned(),
            ));
        }
        Ok(Arc::new(Self { database, provider, clock, background, settings, refund_begun: Arc::default() }))
    }

    /// The database, for lists.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Commits a changed payment with its events, ledger entries and refund.
    async fn commit(
        &self,
        tx: &Tx,
        payment: &mut Payment,
        change: Change,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        payment.next_attempt_time = self.settings.next_look(payment, now);
        tx.expect(store::saved(payment)?).await?;
        for step in brings(payment, &change, actor, now)? {
            tx.expect(step).await?;
        }
        if change.refund.is_some() {
            let begun = self.refund_begun.clone();
            tx.on_commit(move || begun.notify_one());
        }
        Ok(())
    }

    /// How long to wait for the provider on behalf of `caller`.
    fn within(&self, caller: &Caller) -> Duration {
        caller.remaining().saturating_sub(ANSWER_MARGIN).min(self.settings.provider_timeout)
    }
}

/// What is committed together with a payment that has changed.
fn brings(payment: &Payment, change: &Change, actor: &Actor, now: Timestamp) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    if let Some(movement) = &change.movement {
        steps.push(store::booked(payment.id, movement, now)?);
    }
    if let Some(refund) = &change.refund {
        steps.push(store::refund_added(refund)?);
    }
    if let Some(fact) = &change.fact {
        steps.push(outbox::appended(events::event(payment, fact, actor))?);
    }
    Ok(steps)
}

/// The payment does not exist, or the caller may not see it.
pub fn not_found(name: &str) -> Error {
    Refusal::new(reasons::PAYMENT_NOT_FOUND, format!("{name} was not found")).with("payment", name).into()
}

fn voided(name: &str) -> Error {
    Refusal::new(reasons::PAYMENT_VOIDED, format!("{name} was voided, and nothing is charged"))
        .with("payment", name)
        .into()
}

fn unavailable(retry_after: Duration) -> Error {
    Refusal::new(
        reasons::PAYMENT_UNAVAILABLE,
        "the payment provider cannot be reached right now, and nothing was charged",
    )
    .hint("pay again shortly")
    // About this context: its callers pause their calls to it.
    .with("context", CONTEXT)
    .retry_after(retry_after)
    .into()
}

fn reused(what: &str, differs: &str) -> Error {
    Refusal::new(Reason::REQUEST_ID_REUSED, format!("{what} was used with another {differs}"))
        .hint("derive the id from what it is for")
        .into()
}

fn broken(error: Broken) -> Error {
    Error::Internal(error.to_string())
}

fn count_call(operation: &'static str, outcome: &'static str) {
    metrics::PROVIDER_CALLS.add(1, &[KeyValue::new("operation", operation), KeyValue::new("outcome", outcome)]);
}

/// Waits for a detached task. If the waiting caller is dropped, the task goes on.
async fn join<T>(task: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    task.await.map_err(|error| Error::Internal(format!("a detached task ended early: {error}")))?
}
