//! What a checkout does when it hears payment's events: the same as when it is answered.

use contracts::payment::v1::{Payment, PaymentRefundFailed, PaymentRefunded};
use mesh_bus::policies::Handled;
use mesh_foundation::{call::Actor, error::Error, event::Event};
use mesh_store::db::Tx;

use super::{
    Checkout,
    payments::{Refunded, covers, refunded, seen},
    record::{Case, Cases, Record, Scope, payment_name, refund_id},
    store,
};

impl<C: Cases> Checkout<C> {
    /// Hears what payment tells of `payment`; another context's case is none of ours and done.
    pub async fn hear(&self, tx: &Tx, payment: &Payment, event: &Event) -> Result<Handled, Error> {
        let refund = match event.read::<PaymentRefunded>()? {
            Some(told) => Some(told.refund),
            None => event.read::<PaymentRefundFailed>()?.map(|told| told.refund),
        };
        let Some(case) = self.ours(tx, payment).await? else { return Ok(Handled::Done) };
        let actor = Actor::hearing(C::CONTEXT, event);
        match refund {
            None => {
                if let Some(attempt) = attempt_of(case.record(), &payment.name) {
                    self.settle_in(tx, case, attempt, &seen(payment), &actor).await?;
                }
            }
            Some(Some(refund)) if case.record().payment().as_deref() == Some(&payment.name) => {
                let (is_its_own, refunded) = (refund.name.ends_with(&refund_id(&payment.name)), refunded(&refund));
                // A cancellation whose own refund failed is made good by another one: what counts is that the money is back.
                if is_its_own || refunded == Refunded::Succeeded && covers(payment, case.record().refund_amount) {
                    self.settle_refund_in(tx, case, &refunded, &actor).await?;
                }
            }
            Some(_) => {}
        }
        Ok(Handled::Done)
    }

    /// The payment's case, if it is one of this context's.
    async fn ours(&self, tx: &Tx, payment: &Payment) -> Result<Option<C::Case>, Error> {
        if !is_in(&payment.case, C::COLLECTION) {
            return Ok(None);
        }
        // A case is committed before its payment is asked for: one that is missing is lost, and what payment tells of it, money
        // among it, must not be lost as well. The event is put aside for a person to look at.
        match store::find::<C>(&**tx, &payment.case, &Scope::All).await? {
            Some(case) => Ok(Some(case)),
            None => Err(Error::Internal(format!("{} is for {}, which is not here", payment.name, payment.case))),
        }
    }
}

/// Whether that is a name in the collection.
fn is_in(name: &str, collection: &str) -> bool {
    name.strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'))
}

fn attempt_of(record: &Record, payment: &str) -> Option<u32> {
    (1..=record.standing.attempt).rev().find(|attempt| payment_name(&record.name, *attempt) == payment)
}
