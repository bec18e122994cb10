//! Whoever looks after cases that nobody else is looking after (rule S): it asks payment, and obeys.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use mesh_foundation::{background::Background, call::Actor, driver::Task, error::Error, trace};
use opentelemetry::KeyValue;

use super::{
    Checkout, Settings,
    machine::{self, Asked, Outcome, State, Sweep, ThenDo},
    metrics,
    payments::{PaymentStatus, Refunded},
    record::{Case, Cases, Due, Scope},
    store,
};

/// How many cases are taken up at a time.
const BATCH: u64 = 64;
/// How many of them are asked about at the same time.
const CONCURRENCY: usize = 8;
/// The longest pause between two looks at one case.
const MAX_LOOK: Duration = Duration::from_secs(20);

impl<C: Cases> Checkout<C> {
    /// Starts the sweeper.
    pub fn start(&self, background: &Background) {
        self.start_giving_up(background);
        let (this, interval) = (self.clone(), self.0.settings.sweep_interval);
        let task = Task::new(C::CONTEXT, "sweeper", interval).retries(interval, MAX_LOOK);
        task.woken_by(self.0.work.clone()).start(background, move || {
            let this = this.clone();
            async move { Ok(this.sweep_once().await?.into()) }
        });
    }

    /// Looks at every case that is due, and tells how many it took up. Those that it could not claim are no work done: a database
    /// that takes no writes would be asked for them without a pause.
    pub async fn sweep_once(&self) -> Result<usize, Error> {
        let due = store::due::<C>(self.0.database.read(), self.0.clock.now(), BATCH).await?;
        let claimed = &AtomicUsize::new(0);
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |due| async move {
                let looked = match self.claim(&due).await {
                    Ok(false) => return,
                    Ok(true) => {
                        claimed.fetch_add(1, Ordering::Relaxed);
                        metrics::SWEEPS.add(1, &[KeyValue::new("context", C::CONTEXT)]);
                        self.look_at(&due.name).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = looked {
                    // The case keeps its hold and is looked at again: with payment out of reach nothing is known.
                    let error = &error as &dyn std::error::Error;
                    tracing::info!(case = due.name, error, "failed to settle a case; the sweeper will retry");
                }
            })
            .await;
        Ok(claimed.load(Ordering::Relaxed))
    }

    /// Before anything is asked, so that another replica passes the case over until then (rule L), and before it is read, so that
    /// one that cannot be read waits its turn like any other.
    async fn claim(&self, due: &Due) -> Result<bool, Error> {
        let next = next_look(due, &self.0.settings, self.0.clock.now());
        store::claim::<C>(&self.0.database, &due.name, due.since, next).await
    }

    async fn look_at(&self, name: &str) -> Result<(), Error> {
        let now = self.0.clock.now();
        let Some(case) = store::find::<C>(self.0.database.read(), name, &Scope::All).await? else { return Ok(()) };
        let correlation_id = case.record().correlation_id.clone();
        let work = async {
            match case.record().state() {
                State::Pending => self.sweep_pending(case, now).await,
                State::CancelRequested => self.ask_for_refund(case).await,
                State::Confirmed | State::Cancelled | State::Rejected | State::Expired => Ok(()),
            }
        };
        trace::alone(C::CONTEXT, "sweep", &correlation_id, work).await
    }

    async fn sweep_pending(&self, case: C::Case, now: Timestamp) -> Result<(), Error> {
        let record = case.record();
        let actor = Actor::context(C::CONTEXT, &record.correlation_id);
        let past_expiry = record.past_expiry(now);
        match machine::sweep(&record.standing, past_expiry) {
            Sweep::Wait => Ok(()),
            Sweep::End(_) => self.end_unpaid(&record.name, &actor).await,
            Sweep::Ask => {
                let attempt = record.standing.attempt;
                let Some(payment) = record.payment() else { return Ok(()) };
                let answer = self.0.payments.get(record, &payment).await?;
                let asked = match &answer {
                    None => Asked::NoSuchPayment,
                    Some(PaymentStatus { outcome: Outcome::Unknown | Outcome::NotSent, .. }) => Asked::Unsettled,
                    Some(seen) => Asked::Settled(seen.outcome),
                };
                let seen = match (machine::after_asking(&record.standing, asked, past_expiry), answer) {
                    (ThenDo::Void, _) => self.0.payments.void(record, &payment).await?,
                    (ThenDo::Apply(_) | ThenDo::AskAgain, Some(seen)) => seen,
                    (ThenDo::Apply(_) | ThenDo::AskAgain, None) => return Ok(()),
                };
                self.settle(&record.name, attempt, &seen, &actor).await?;
                Ok(())
            }
        }
    }

    /// Nobody is paying: decided again inside the transaction, because somebody may have begun to meanwhile.
    async fn end_unpaid(&self, name: &str, actor: &Actor) -> Result<(), Error> {
        self.0
            .database
            .transact("end_unpaid", |tx| async move {
                let case = self.must_find(&tx, name, &Scope::All).await?;
                let record = case.record();
                if let Sweep::End(step) = machine::sweep(&record.standing, record.past_expiry(self.0.clock.now())) {
                    self.take_step(&tx, case, step, None, actor).await?;
                }
                Ok(())
            })
            .await
    }

    /// The refund follows the event; asking again, under the refund's one key, covers an event that is late.
    async fn ask_for_refund(&self, case: C::Case) -> Result<(), Error> {
        let record = case.record();
        let (Some(payment), Some(amount)) = (record.payment(), record.refund_amount) else { return Ok(()) };
        let refunded = self.0.payments.refund(record, &payment, amount).await?;
        let actor = Actor::context(C::CONTEXT, &record.correlation_id);
        self.settle_refund(&record.name, &refunded, &actor).await
    }

    async fn settle_refund(&self, name: &str, refunded: &Refunded, actor: &Actor) -> Result<(), Error> {
        self.0
            .database
            .transact("refunded", |tx| async move {
                let case = self.must_find(&tx, name, &Scope::All).await?;
                self.settle_refund_in(&tx, case, refunded, actor).await
            })
            .await
    }

    /// What became of the refund of a cancellation, in a transaction that is open already.
    pub(super) async fn settle_refund_in(
        &self,
        tx: &mesh_store::db::Tx,
        mut case: C::Case,
        refunded: &Refunded,
        actor: &Actor,
    ) -> Result<(), Error> {
        let Some(step) = machine::refunded(&case.record().standing) else { return Ok(()) };
        match refunded {
            Refunded::Pending => Ok(()),
            Refunded::Succeeded => self.take_step(tx, case, step, None, actor).await.map(|_| ()),
            // It stays CANCEL_REQUESTED and shows why; the audit lists it until somebody has refunded it.
            Refunded::Failed(why) if case.record().refund_failure_reason.as_deref() != Some(why) => {
                let record = case.record_mut();
                let from = (record.version, record.state());
                record.version += 1;
                record.update_time = self.0.clock.now();
                record.refund_failure_reason = Some(why.clone());
                tx.expect(store::update::<C>(from, &case)?).await
            }
            Refunded::Failed(_) => Ok(()),
        }
    }
}

/// When to look again: pauses double from one second to twenty, the first of them no shorter than a payment may take, and none
/// goes beyond the end of the hold.
fn next_look(due: &Due, settings: &Settings, now: Timestamp) -> Timestamp {
    let doubled = Duration::from_secs(1).saturating_mul(1 << due.sweeps.min(6));
    let next = now + doubled.min(MAX_LOOK).max(settings.settle_after.min(MAX_LOOK) / 4);
    if now < due.hold_expire_time { next.min(due.hold_expire_time) } else { next }
}
