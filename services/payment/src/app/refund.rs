//! Refunds: 1. the intent is committed under the refund's own key; 2. the call or the recovery loop, whichever is first, performs it.

use std::{sync::Arc, time::Duration};

use mesh::{Actor, Caller, Error, Reason, Refusal, Tx, fields, money::Money};
use opentelemetry::KeyValue;
use uuid::Uuid;

use super::{App, broken, count_call, join, not_found, reused};
use crate::{
    domain::{
        ledger::Movement,
        payment::{Change, Payment},
        provider::{Call, RefundOutcome},
        refund::{Kind, Refund, RefundError},
    },
    kill, metrics, reasons, store,
};

/// A request to RefundPayment.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The payment.
    pub payment: Uuid,
    /// The refund's id.
    pub refund: Uuid,
    /// The amount; `None` refunds the rest.
    pub amount: Option<Money>,
}

/// What is asked of RetryRefund.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The payment.
    pub payment: Uuid,
    /// The refund that failed.
    pub failed: Uuid,
    /// The id under which it is asked for again.
    pub refund: Uuid,
}

impl App {
    /// Refunds money of a payment for a case in `collection`, or returns the refund of an earlier identical call.
    pub async fn refund(
        self: &Arc<Self>,
        caller: &Caller,
        collection: &'static str,
        wish: Wish,
    ) -> Result<Refund, Error> {
        let (app, caller) = (Arc::clone(self), caller.clone());
        join(self.background.detach(async move { app.ask_and_attempt(&caller, collection, &wish).await })).await
    }

    /// Asks again for a refund that failed, of a payment for any case, or finds what the same call has asked for before.
    pub async fn retry_refund(self: &Arc<Self>, caller: &Caller, retry: Retry) -> Result<Refund, Error> {
        let (app, caller) = (Arc::clone(self), caller.clone());
        join(self.background.detach(async move { app.retry_and_attempt(&caller, retry).await })).await
    }

    async fn retry_and_attempt(&self, caller: &Caller, retry: Retry) -> Result<Refund, Error> {
        let (refund, is_new) = self
            .database
            .transact("retry_refund", |tx| async move {
                let payment = store::lock(&tx, retry.payment).await?;
                let mut payment = payment.ok_or_else(|| not_found(&fields::name("payments", retry.payment)))?;
                let failed = store::refund(&*tx, payment.id, retry.failed).await?;
                let failed = failed.ok_or_else(|| refund_not_found(&payment.name(), retry.failed))?;
                if let Some(refund) = store::refund(&*tx, payment.id, retry.refund).await? {
                    let wish = Wish { payment: payment.id, refund: refund.id, amount: Some(failed.amount) };
                    return check_same(&refund, &wish).map(|()| (refund, false));
                }
                // The service centre calls about many cases: what comes of this call belongs to the payment's.
                let actor = Actor { correlation_id: payment.correlation_id.clone(), ..caller.actor() };
                let now = self.clock.now();
                let asked = payment
                    .retry_refund(&failed, retry.refund, actor, now)
                    .map_err(|error| refused(&payment.name(), error))?;
                self.commit_asked(&tx, payment, asked, self.settings.patience()).await.map(|refund| (refund, true))
            })
            .await?;
        if is_new { Ok(self.attempt_asked(caller, refund).await) } else { Ok(refund) }
    }

    async fn ask_and_attempt(&self, caller: &Caller, collection: &str, wish: &Wish) -> Result<Refund, Error> {
        let actor = caller.actor();
        let (refund, is_new) = self
            .database
            .transact("ask_refund", |tx| {
                let actor = actor.clone();
                async move {
                    let payment = store::lock(&tx, wish.payment).await?;
                    let payment = payment.filter(|payment| is_of(&payment.case, collection));
                    let payment = payment.ok_or_else(|| not_found(&fields::name("payments", wish.payment)))?;
                    self.ask_refund(&tx, payment, wish, actor, self.settings.patience()).await
                }
            })
            .await?;
        if !is_new {
            check_same(&refund, wish)?;
            return Ok(refund);
        }
        Ok(self.attempt_asked(caller, refund).await)
    }

    /// Attempts a refund that was just asked for, within its caller's time.
    async fn attempt_asked(&self, caller: &Caller, refund: Refund) -> Refund {
        let call = Call { correlation_id: &refund.actor.correlation_id, within: self.within(caller) };
        match self.attempt_refund(&refund, call).await {
            Ok(refund) => refund,
            Err(error) => {
                // The money may have moved: the intent is committed, and the recovery loop asks again.
                tracing::error!(
                    refund = %refund.id,
                    error = &error as &dyn std::error::Error,
                    "failed to record the provider's answer; recovery will retry"
                );
                refund
            }
        }
    }

    /// Commits the intent to refund, unless that id exists; returns whether it is new. `payment` is locked by `tx`. The recovery loop
    /// performs the refund after `lease`, unless it is done by then.
    pub(crate) async fn ask_refund(
        &self,
        tx: &Tx,
        mut payment: Payment,
        wish: &Wish,
        actor: Actor,
        lease: Duration,
    ) -> Result<(Refund, bool), Error> {
        if let Some(refund) = store::refund(&**tx, payment.id, wish.refund).await? {
            return Ok((refund, false));
        }
        let now = self.clock.now();
        let asked = payment
            .ask_refund(wish.refund, wish.amount, actor, now)
            .map_err(|error| refused(&payment.name(), error))?;
        self.commit_asked(tx, payment, asked, lease).await.map(|refund| (refund, true))
    }

    async fn commit_asked(
        &self,
        tx: &Tx,
        mut payment: Payment,
        (mut refund, movement): (Refund, Option<Movement>),
        lease: Duration,
    ) -> Result<Refund, Error> {
        let now = refund.create_time;
        refund.next_attempt_time = Some(now + lease);
        let change = Change { movement, refund: Some(refund.clone()), fact: None };
        self.commit(tx, &mut payment, change, &refund.actor, now).await?;
        Ok(refund)
    }

    /// Asks the provider for a refund whose intent is committed, and records its answer.
    pub(super) async fn attempt_refund(&self, refund: &Refund, call: Call<'_>) -> Result<Refund, Error> {
        kill::BEFORE_REFUND.reached();
        let outcome = self.provider.refund(call, refund.payment, refund.id, refund.amount).await;
        count_call("refund", outcome.word());
        kill::AFTER_REFUND.reached();
        if let (Kind::Reversal, RefundOutcome::Failed { reason }) = (refund.kind, &outcome) {
            tracing::error!(payment = %refund.payment, reason, "the provider refused to reverse a late charge; will retry");
            metrics::REFUNDS.add(1, &[KeyValue::new("state", "REVERSAL_REFUSED")]);
        }
        self.record_refund(refund.payment, refund.id, &outcome).await
    }

    async fn record_refund(&self, payment: Uuid, id: Uuid, outcome: &RefundOutcome) -> Result<Refund, Error> {
        let missing = || Error::Internal(format!("the refund {id} of payments/{payment} does not exist"));
        let (refund, ended) = self
            .database
            .transact("record_refund", |tx| async move {
                let now = self.clock.now();
                let mut payment = store::lock(&tx, payment).await?.ok_or_else(missing)?;
                let mut refund = store::refund(&*tx, payment.id, id).await?.ok_or_else(missing)?;
                let change = payment.settle_refund(&mut refund, outcome, now).map_err(broken)?;
                let ended = change.is_some();
                if let Some(change) = change {
                    store::save_refund(&tx, &refund).await?;
                    let actor = refund.actor.clone();
                    self.commit(&tx, &mut payment, change, &actor, now).await?;
                }
                Ok((refund, ended))
            })
            .await?;
        if ended {
            metrics::REFUNDS.add(1, &[KeyValue::new("state", refund.state.name())]);
        }
        Ok(refund)
    }
}

/// Whether a case is in that collection, as `reservations/…` is in `reservations`.
fn is_of(case: &str, collection: &str) -> bool {
    case.strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'))
}

fn check_same(refund: &Refund, wish: &Wish) -> Result<(), Error> {
    match wish.amount {
        Some(amount) if amount != refund.amount => Err(reused(&format!("refund {}", refund.id), "amount")),
        _ => Ok(()),
    }
}

fn refund_not_found(payment: &str, id: Uuid) -> Error {
    let name = format!("{payment}/refunds/{id}");
    Refusal::new(reasons::REFUND_NOT_FOUND, format!("{name} was not found"))
        .hint("ListRefunds lists those of a payment")
        .with("refund", name)
        .into()
}

fn refused(payment: &str, error: RefundError) -> Error {
    let what = format!("{payment} cannot be refunded: {error}");
    match error {
        RefundError::NotPaid(state) => {
            Refusal::new(Reason::ILLEGAL_TRANSITION, what).with("from", state.name()).with("to", "REFUNDED")
        }
        RefundError::Exceeds { left } => Refusal::new(reasons::REFUND_EXCEEDS_PAYMENT, what).with("left", left),
        RefundError::NotFailed(state) => {
            Refusal::new(Reason::ILLEGAL_TRANSITION, what).with("from", state.name()).with("to", "PENDING")
        }
        RefundError::NotOwed { owed } => Refusal::new(reasons::REFUND_EXCEEDS_PAYMENT, what).with("left", owed),
        RefundError::Amount(_) => Refusal::new(Reason::CURRENCY_MISMATCH, what),
    }
    .with("payment", payment)
    .into()
}
