//! The recovery loop: asks the provider, by key, about every payment and refund with an unknown outcome, until it is known. It settles
//! what a crash at any point, a lost answer or a late charge has left open.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mesh::{Actor, Error, background::Background, driver::Task, store::claim::take_up};

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

/// The longest backoff while the database cannot be used, and the pause after a row that cannot be read.
const MAX_PAUSE: Duration = Duration::from_secs(10);

impl App {
    /// Starts the recovery loop.
    pub fn start(self: Arc<Self>, background: &Background) {
        let interval = self.settings.recovery_interval;
        let task = Task::new("payment", "recovery", interval).retries(interval, MAX_PAUSE);
        task.woken_by(self.refund_begun.clone()).start(background, move || {
            let app = self.clone();
            async move { Ok(app.recover_once().await?.into()) }
        });
    }

    /// Claims and handles the due rows, and returns how many it claimed.
    pub async fn recover_once(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        let look = |row| self.look_at(row);
        let payments = take_up::<payment::Entity, _>(&self.database, now, |row| self.next_look(row), look).await?;
        let attempt = |row| self.try_again(row);
        let refunds = take_up::<refund::Entity, _>(&self.database, now, |row| self.next_try(row), attempt).await?;
        Ok(payments + refunds)
    }

    /// When a payment is looked at again, if this look brings nothing.
    fn next_look(&self, row: &payment::Model) -> Option<Timestamp> {
        let now = self.clock.now();
        match store::payment_of(row.clone()) {
            Ok(payment) => self.settings.next_look(&Payment { attempts: payment.attempts + 1, ..payment }, now),
            Err(_) => Some(now + MAX_PAUSE),
        }
    }

    /// When a refund is tried again, if this attempt brings nothing.
    fn next_try(&self, row: &refund::Model) -> Option<Timestamp> {
        let now = self.clock.now();
        match store::refund_of(row.clone()) {
            Ok(refund) => self.settings.next_refund(&Refund { attempts: refund.attempts + 1, ..refund }, now),
            Err(_) => Some(now + MAX_PAUSE),
        }
    }

    async fn look_at(&self, row: payment::Model) -> Result<(), Error> {
        let (payment, asked) = (store::payment_of(row)?, self.clock.now());
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

    async fn try_again(&self, row: refund::Model) -> Result<(), Error> {
        let refund = store::refund_of(row)?;
        let call = Call { correlation_id: &refund.actor.correlation_id, within: self.settings.provider_timeout };
        self.attempt_refund(&refund, call).await.map(|_| ())
    }
}
