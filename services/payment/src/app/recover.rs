//! The recovery loop: asks the provider, by key, about every payment and refund whose end is not known, until it is. A crash at any
//! point, a lost answer, a late charge: all end here.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::StreamExt;
use mesh::{
    Actor, Error,
    background::{Background, Backoff, Phase},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{App, count_call};
use crate::{
    domain::{
        machine::State,
        payment::Payment,
        provider::{Call, Outcome},
        refund::Refund,
    },
    store,
};

/// How many payments, and how many refunds, are taken up at a time.
const BATCH: u64 = 64;
/// How many of them are asked about at the same time.
const CONCURRENCY: usize = 8;
/// The longest pause while the database cannot be used.
const MAX_PAUSE: Duration = Duration::from_secs(30);

impl App {
    /// Starts the recovery loop.
    pub fn start(self: Arc<Self>, background: &Background) {
        background.run(Phase::Sweepers, "payment.recovery", |stop| async move { self.recover_until(stop).await });
    }

    async fn recover_until(&self, stop: CancellationToken) {
        let mut commits = self.database.commits();
        let mut backoff = Backoff::new(self.settings.recovery_interval, MAX_PAUSE);
        loop {
            let pause = match self.recover_once().await {
                Ok(0) => {
                    backoff.succeeded();
                    self.settings.recovery_interval
                }
                // There may be more.
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the recovery loop cannot look");
                    backoff.failed()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => self.refund_begun.store(false, Ordering::Relaxed),
                () = self.refund_committed(&mut commits) => {}
            }
        }
    }

    /// Resolves with a commit that may hold a refund that was begun.
    async fn refund_committed(&self, commits: &mut watch::Receiver<u64>) {
        while commits.changed().await.is_ok() {
            if self.refund_begun.load(Ordering::Relaxed) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Takes up all that is due, and tells how much that was.
    pub async fn recover_once(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        let payments = store::due_payments(self.database.read(), now, BATCH).await?;
        let refunds = store::due_refunds(self.database.read(), now, BATCH).await?;
        let count = payments.len() + refunds.len();
        futures::stream::iter(payments)
            .for_each_concurrent(CONCURRENCY, |payment| async move {
                if let Err(error) = self.look_at(&payment).await {
                    asks_again(&payment.name(), &error);
                }
            })
            .await;
        futures::stream::iter(refunds)
            .for_each_concurrent(CONCURRENCY, |refund| async move {
                if let Err(error) = self.try_again(&refund).await {
                    asks_again(&mesh::fields::name("refunds", refund.id), &error);
                }
            })
            .await;
        Ok(count)
    }

    async fn look_at(&self, payment: &Payment) -> Result<(), Error> {
        let asked = self.clock.now();
        let taken_up = Payment { attempts: payment.attempts + 1, ..payment.clone() };
        let next = self.settings.next_look(&taken_up, asked);
        let claimed = self
            .database
            .transact("claim_payment", |tx| async move { store::claim_payment(&tx, payment, next).await })
            .await?;
        if !claimed {
            return Ok(());
        }
        if payment.state() == State::Pending && payment.standing.calls == 0 {
            return self.abandon(payment.id).await;
        }
        let call = Call { correlation_id: &payment.correlation_id, within: self.settings.provider_timeout };
        let outcome = self.provider.look(call, payment.id).await;
        count_call("look", outcome.word());
        match outcome {
            // That the question was not sent says nothing about the charge.
            Outcome::NotSent | Outcome::Refused(_) | Outcome::Unknown => Ok(()),
            outcome => {
                let actor = Actor::context(crate::CONTEXT, &payment.correlation_id);
                self.record(payment.id, &outcome, asked, &actor).await.map(|_| ())
            }
        }
    }

    async fn try_again(&self, refund: &Refund) -> Result<(), Error> {
        let taken_up = Refund { attempts: refund.attempts + 1, ..refund.clone() };
        let next = self.settings.next_refund(&taken_up, self.clock.now());
        let claimed = self
            .database
            .transact("claim_refund", |tx| async move { store::claim_refund(&tx, refund, next).await })
            .await?;
        if !claimed {
            return Ok(());
        }
        let call = Call { correlation_id: &refund.actor.correlation_id, within: self.settings.provider_timeout };
        self.attempt_refund(refund, call).await.map(|_| ())
    }
}

fn asks_again(what: &str, error: &Error) {
    tracing::warn!(what, error = error as &dyn std::error::Error, "the recovery loop asks again later");
}
