//! Whoever looks after cases that nobody else is looking after (rule S): it asks payment, and obeys.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use opentelemetry::KeyValue;
use tokio_util::sync::CancellationToken;

use super::{
    Checkout,
    machine::{self, Asked, Outcome, State, Sweep, ThenDo},
    payments::{Refunded, Seen},
    record::{Case, Cases, Scope},
};
use crate::{
    background::{Backoff, Background, Phase},
    call::Actor,
    error::Error,
    telemetry::metrics,
};

/// How many cases are taken up at a time.
const BATCH: u64 = 64;
/// How many of them are asked about at the same time.
const CONCURRENCY: usize = 8;
/// The longest pause between two looks at one case.
const MAX_LOOK: Duration = Duration::from_secs(60);

impl<C: Cases> Checkout<C> {
    /// Starts the sweeper.
    pub fn start(&self, background: &Background) {
        let this = self.clone();
        background.run(Phase::Sweepers, format!("{}.sweeper", C::CONTEXT), |stop| this.sweep_until(stop));
    }

    async fn sweep_until(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.0.settings.sweep_interval, MAX_LOOK);
        loop {
            let pause = match self.sweep_once().await {
                Ok(0) => {
                    backoff.succeeded();
                    self.0.settings.sweep_interval
                }
                // There may be more.
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the sweeper cannot look");
                    backoff.failed()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.0.work.notified() => {}
            }
        }
    }

    /// Looks at every case that is due, and tells how many those were.
    pub async fn sweep_once(&self) -> Result<usize, Error> {
        let due = self.0.cases.due(self.0.clock.now(), BATCH).await?;
        let count = due.len();
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |(name, seen)| async move {
                metrics().sweeps.add(1, &[KeyValue::new("context", C::CONTEXT)]);
                if let Err(error) = self.look_at(&name, seen).await {
                    // The case keeps its hold and is looked at again: with payment out of reach nothing is known.
                    tracing::info!(case = name, error = &error as &dyn std::error::Error, "the sweeper asks again later");
                }
            })
            .await;
        Ok(count)
    }

    async fn look_at(&self, name: &str, due: Timestamp) -> Result<(), Error> {
        let now = self.0.clock.now();
        let Some(case) = self.0.cases.read(name, &Scope::All).await? else { return Ok(()) };
        // Claimed before anything is asked: another replica passes it over until then (rule L).
        let pause = look_again(case.record().sweeps, self.0.settings.settle_after);
        if !self.0.cases.claim(name, due, now + pause).await? {
            return Ok(());
        }
        match case.record().state() {
            State::Pending => self.sweep_pending(case, now).await,
            State::CancelRequested => self.ask_for_refund(case).await,
            State::Confirmed | State::Cancelled | State::Rejected | State::Expired => Ok(()),
        }
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
                    Some(Seen { outcome: Outcome::Unknown | Outcome::NotSent, .. }) => Asked::Unsettled,
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
                let case = self.must_find(&tx, name).await?;
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
                let case = self.must_find(&tx, name).await?;
                self.settle_refund_in(&tx, case, refunded, actor).await
            })
            .await
    }

    /// What became of the refund of a cancellation, in a transaction that is open already.
    pub(super) async fn settle_refund_in(
        &self,
        tx: &crate::db::Tx,
        mut case: C::Case,
        refunded: &Refunded,
        actor: &Actor,
    ) -> Result<(), Error> {
        let Some(step) = machine::refunded(&case.record().standing) else { return Ok(()) };
        match refunded {
            Refunded::Pending => Ok(()),
            Refunded::Succeeded => self.take_step(tx, case, step, None, actor).await.map(|_| ()),
            // It stays CANCEL_REQUESTED and shows why; the audit lists it until somebody has refunded it.
            Refunded::Failed(why) if case.record().reject_reason.as_deref() != Some(why) => {
                let record = case.record_mut();
                let from = (record.version, record.state());
                record.version += 1;
                record.update_time = self.0.clock.now();
                record.reject_reason = Some(why.clone());
                self.0.cases.update(tx, from, &case).await
            }
            Refunded::Failed(_) => Ok(()),
        }
    }
}

/// Doubles from one second to a minute; the first pause is never shorter than a payment may take.
fn look_again(sweeps: u32, settle_after: Duration) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << sweeps.min(6)).min(MAX_LOOK).max(settle_after.min(MAX_LOOK) / 4)
}
