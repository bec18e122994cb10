//! CreatePayment: 1. commit the payment; 2. call the provider; 3. record its answer.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mesh::{Actor, Caller, Error, Refusal, Tx, db::Work};
use sea_orm::Condition;
use uuid::Uuid;

use super::{App, PAY_AGAIN, brings, broken, count_call, join, reused, unavailable, voided};
use crate::{
    domain::{
        machine::{self, OnCreate, State},
        payment::{Bill, Payment},
        provider::{Call, Outcome},
    },
    kill, store,
};

/// A request to CreatePayment, without the payment method.
#[derive(Clone, Debug)]
pub struct Order {
    /// The payment's id.
    pub id: Uuid,
    /// The business case.
    pub case: String,
    /// Who pays whom how much.
    pub bill: Bill,
}

enum Begun {
    /// No call is needed.
    Stands(Payment),
    /// The call is committed and may be made.
    Calling(Payment),
}

impl App {
    /// Pays, or returns the payment of an earlier identical call. It goes on when the caller hangs up.
    pub async fn create(self: &Arc<Self>, caller: &Caller, order: Order, token: String) -> Result<Payment, Error> {
        if let Some(retry_after) = self.provider.refuses_now() {
            return self.without_calling(&order, retry_after).await;
        }
        let (app, caller) = (Arc::clone(self), caller.clone());
        join(self.background.detach(async move { app.pay(&caller, &order, &token).await })).await
    }

    /// The answer while the circuit to the provider is open: an existing payment is returned as it is, and a new one is not begun.
    async fn without_calling(&self, order: &Order, retry_after: Duration) -> Result<Payment, Error> {
        let Some(payment) = store::find(self.database.read(), order.id, Condition::all()).await? else {
            return Err(unavailable(retry_after));
        };
        check_same(&payment, order)?;
        if payment.state() == State::Pending && payment.standing.calls == 0 {
            return Err(unavailable(retry_after));
        }
        answer(payment)
    }

    async fn pay(&self, caller: &Caller, order: &Order, token: &str) -> Result<Payment, Error> {
        let begun = match self.begin(caller, order).await? {
            Begun::Stands(payment) => return answer(payment),
            Begun::Calling(payment) => payment,
        };
        kill::BEFORE_PROVIDER.reached();
        let call = Call { correlation_id: &caller.correlation_id, within: self.within(caller) };
        let asked = self.clock.now();
        let outcome = self.provider.charge(call, order.id, order.bill.amount, token).await;
        count_call("charge", outcome.word());
        kill::AFTER_PROVIDER.reached();

        let payment = match self.record_call(&begun, &outcome, asked, &caller.actor()).await {
            Ok(payment) => payment,
            Err(error) => {
                // The money may have moved, so this is no failure of the call: it is a payment whose outcome is not known yet. The
                // recovery loop asks again and writes it down.
                tracing::error!(
                    payment = %order.id,
                    error = &error as &dyn std::error::Error,
                    "failed to record the provider's answer; recovery will retry"
                );
                return Ok(begun);
            }
        };
        if payment.state() == State::Pending && payment.standing.calls == 0 {
            return Err(match outcome {
                Outcome::Refused(refusal) => in_our_words(refusal).into(),
                _ => unavailable(PAY_AGAIN),
            });
        }
        answer(payment)
    }

    /// Commits the payment, or one more call of it, before the provider is called.
    async fn begin(&self, caller: &Caller, order: &Order) -> Result<Begun, Error> {
        let fresh = self.fresh(caller, order);
        let work = Work::new("begin_payment").then(store::added(&fresh)?);
        self.database
            .perform_or(work, Begun::Calling(fresh), |tx| async move {
                let fresh = self.fresh(caller, order);
                let Some(mut existing) = store::lock_or_insert(&tx, &fresh).await? else {
                    return Ok(Begun::Calling(fresh));
                };
                check_same(&existing, order)?;
                if machine::create(Some(existing.standing)) != OnCreate::CallAgain {
                    return Ok(Begun::Stands(existing));
                }
                let now = self.clock.now();
                existing.call_again(now);
                existing.next_attempt_time = self.settings.next_look(&existing, now);
                tx.expect(store::saved(&mut existing)?).await?;
                Ok(Begun::Calling(existing))
            })
            .await
    }

    fn fresh(&self, caller: &Caller, order: &Order) -> Payment {
        let (now, bill) = (self.clock.now(), order.bill.clone());
        let correlation_id = caller.correlation_id.clone();
        let mut fresh = Payment::begin(order.id, order.case.clone(), bill, self.provider.name(), correlation_id, now);
        fresh.next_attempt_time = self.settings.next_look(&fresh, now);
        fresh
    }

    /// Writes down how the call of the payment that was `begun` for it ended: at once if the payment is still as it was, which the
    /// statement itself finds out, and otherwise by what stands.
    async fn record_call(
        &self,
        begun: &Payment,
        outcome: &Outcome,
        asked: Timestamp,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        let (id, now) = (begun.id, self.clock.now());
        let mut payment = begun.clone();
        let lost = self.settings.is_lost(&payment, asked);
        let Ok(Some(change)) = payment.record(outcome, lost, now) else {
            return self.record(id, outcome, asked, actor).await;
        };
        payment.next_attempt_time = self.settings.next_look(&payment, now);
        let work = Work::new("record_charge")
            .then(store::changed(begun, &mut payment)?)
            .then_all(brings(&payment, &change, actor, now)?);
        self.database.perform_or(work, payment, |tx| self.record_in(tx, id, outcome, asked, actor)).await
    }

    /// Records the outcome of a call about a charge in one commit, and returns the payment after it. `asked` is when the call began.
    pub(super) async fn record(
        &self,
        id: Uuid,
        outcome: &Outcome,
        asked: Timestamp,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        self.database.transact("record_charge", |tx| self.record_in(tx, id, outcome, asked, actor)).await
    }

    async fn record_in(
        &self,
        tx: Tx,
        id: Uuid,
        outcome: &Outcome,
        asked: Timestamp,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        let now = self.clock.now();
        let payment = store::lock(&tx, id).await?;
        let mut payment =
            payment.ok_or_else(|| Error::Internal(format!("payments/{id} was called and does not exist")))?;
        let lost = self.settings.is_lost(&payment, asked);
        if let Some(change) = payment.record(outcome, lost, now).map_err(broken)? {
            self.commit(&tx, &mut payment, change, actor, now).await?;
        }
        Ok(payment)
    }
}

fn check_same(payment: &Payment, order: &Order) -> Result<(), Error> {
    if payment.is_for(&order.case, &order.bill) {
        Ok(())
    } else {
        Err(reused(&payment.name(), "case, payer, payee or amount"))
    }
}

/// The answer of CreatePayment with this payment.
fn answer(payment: Payment) -> Result<Payment, Error> {
    match machine::create(Some(payment.standing)) {
        OnCreate::Refuse => Err(voided(&payment.name())),
        OnCreate::Insert | OnCreate::CallAgain | OnCreate::Answer => Ok(payment),
    }
}

/// The provider's refusal of an invalid field, with the field's path in our own request.
fn in_our_words(mut refusal: Refusal) -> Refusal {
    for (path, _) in &mut refusal.violations {
        if path == "token" {
            "payment_method.token".clone_into(path);
        }
    }
    refusal
}
