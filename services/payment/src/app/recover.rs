//! The recovery loop: asks the provider, by key, about every payment and refund with an unknown outcome, until it is known. It settles
//! what a crash at any point, a lost answer or a late charge has left open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use mesh::{Actor, Error, background::Background, driver::Task, fields, store::claim};

use super::{App, count_call};
use crate::{
    domain::{
        machine::State,
        payment::Payment,
        provider::{Call, Outcome},
        refund::Refund,
    },
    store::{
        self,
        entity::{payment, refund},
    },
};

/// How many payments, and how many refunds, are claimed at a time.
const BATCH: u64 = 64;
/// How many of them are asked about concurrently.
const CONCURRENCY: usize = 8;
/// The longest backoff while the database cannot be used, and the pause after a row that cannot be read.
const MAX_PAUSE: Duration = Duration::from_secs(10);

impl App {
    /// Starts the recovery loop.
    pub fn start(self: Arc<Self>, background: &Background) {
        let interval = self.settings.recovery_interval;
        let task = Task::new("payment.recovery", interval).retries(interval, MAX_PAUSE);
        task.woken_by(self.refund_begun.clone()).start(background, move || {
            let app = self.clone();
            async move { Ok(app.recover_once().await?.into()) }
        });
    }

    /// Claims and handles the due rows, and returns how many. Rows that could not be claimed do not count: otherwise a read-only database
    /// would be polled without a pause.
    pub async fn recover_once(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        let payments = claim::due::<payment::Entity>(self.database.read(), now, BATCH).await?;
        let refunds = claim::due::<refund::Entity>(self.database.read(), now, BATCH).await?;
        let claimed = &AtomicUsize::new(0);
        futures::stream::iter(payments)
            .for_each_concurrent(CONCURRENCY, |row| async move {
                let (name, read) = (fields::name("payments", row.id), store::payment_of(row.clone()));
                let looked = match claim::claim::<payment::Entity>(&self.database, &row, self.next_look(&read)).await {
                    Ok(false) => return,
                    Ok(true) => {
                        claimed.fetch_add(1, Ordering::Relaxed);
                        self.look_at(read).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = looked {
                    asks_again(&name, &error);
                }
            })
            .await;
        futures::stream::iter(refunds)
            .for_each_concurrent(CONCURRENCY, |row| async move {
                let (name, read) = (fields::name("refunds", row.id), store::refund_of(row.clone()));
                let tried = match claim::claim::<refund::Entity>(&self.database, &row, self.next_try(&read)).await {
                    Ok(false) => return,
                    Ok(true) => {
                        claimed.fetch_add(1, Ordering::Relaxed);
                        self.try_again(read).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = tried {
                    asks_again(&name, &error);
                }
            })
            .await;
        Ok(claimed.load(Ordering::Relaxed))
    }

    /// When a payment is looked at again, if this look brings nothing.
    fn next_look(&self, read: &Result<Payment, Error>) -> Option<Timestamp> {
        let now = self.clock.now();
        match read {
            Ok(payment) => self.settings.next_look(&Payment { attempts: payment.attempts + 1, ..payment.clone() }, now),
            Err(_) => Some(now + MAX_PAUSE),
        }
    }

    /// When a refund is tried again, if this attempt brings nothing.
    fn next_try(&self, read: &Result<Refund, Error>) -> Option<Timestamp> {
        let now = self.clock.now();
        match read {
            Ok(refund) => self.settings.next_refund(&Refund { attempts: refund.attempts + 1, ..refund.clone() }, now),
            Err(_) => Some(now + MAX_PAUSE),
        }
    }

    async fn look_at(&self, read: Result<Payment, Error>) -> Result<(), Error> {
        let (payment, asked) = (read?, self.clock.now());
        if payment.state() == State::Pending && payment.standing.calls == 0 {
            return self.abandon(payment.id).await;
        }
        let call = Call { correlation_id: &payment.correlation_id, within: self.settings.provider_timeout };
        let outcome = self.provider.look(call, payment.id).await;
        count_call("look", outcome.word());
        match outcome {
            // A query that was not sent says nothing about the charge.
            Outcome::NotSent | Outcome::Refused(_) | Outcome::Unknown => Ok(()),
            outcome => {
                let actor = Actor::context(crate::CONTEXT, &payment.correlation_id);
                self.record(payment.id, &outcome, asked, &actor).await.map(|_| ())
            }
        }
    }

    async fn try_again(&self, read: Result<Refund, Error>) -> Result<(), Error> {
        let refund = read?;
        let call = Call { correlation_id: &refund.actor.correlation_id, within: self.settings.provider_timeout };
        self.attempt_refund(&refund, call).await.map(|_| ())
    }
}

fn asks_again(what: &str, error: &Error) {
    tracing::warn!(what, error = error as &dyn std::error::Error, "failed to recover a payment or refund; will retry");
}
