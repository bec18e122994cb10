//! What a checkout does when it hears payment's events: the same as when it is answered.

use contracts::payment::v1::{
    Payment, PaymentActionRequired, PaymentApproved, PaymentDeclined, PaymentRefundFailed, PaymentRefunded,
    PaymentVoided, Refund,
};
use prost::{Message, Name};

use super::{
    Checkout,
    payments::{Refunded, refunded, seen},
    record::{Case, Cases, Record, Scope, payment_name, refund_id},
};
use crate::{call::Actor, context::Handled, db::Tx, error::Error, event::Event, money::Money};

impl<C: Cases> Checkout<C> {
    /// Handles an event of payment; one about another context's case is none of ours and done.
    pub async fn hear(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        macro_rules! outcome {
            ($($kind:ident),*) => {
                $(if let Some(message) = decode::<$kind>(event)? {
                    return self.hear_outcome(tx, event, message.payment.as_ref()).await;
                })*
            };
        }
        outcome!(PaymentApproved, PaymentDeclined, PaymentVoided, PaymentActionRequired);
        if let Some(message) = decode::<PaymentRefunded>(event)? {
            return self.hear_refund(tx, event, message.payment.as_ref(), message.refund.as_ref()).await;
        }
        if let Some(message) = decode::<PaymentRefundFailed>(event)? {
            return self.hear_refund(tx, event, message.payment.as_ref(), message.refund.as_ref()).await;
        }
        Ok(Handled::Unknown)
    }

    async fn hear_outcome(&self, tx: &Tx, event: &Event, payment: Option<&Payment>) -> Result<Handled, Error> {
        if let Some((payment, case)) = self.ours(tx, payment).await?
            && let Some(attempt) = attempt_of(case.record(), &payment.name)
        {
            self.settle_in(tx, case, attempt, &seen(payment), &Actor::hearing(C::CONTEXT, event)).await?;
        }
        Ok(Handled::Done)
    }

    async fn hear_refund(
        &self,
        tx: &Tx,
        event: &Event,
        payment: Option<&Payment>,
        refund: Option<&Refund>,
    ) -> Result<Handled, Error> {
        let Some(refund) = refund else { return Ok(Handled::Done) };
        if let Some((payment, case)) = self.ours(tx, payment).await?
            && case.record().payment().as_deref() == Some(&payment.name)
        {
            let (is_its_own, refunded) = (refund.name.ends_with(&refund_id(&payment.name)), refunded(refund));
            // A cancellation whose own refund failed is made good by another one: what counts is that the money is back.
            if is_its_own || refunded == Refunded::Succeeded && covers(payment, case.record()) {
                self.settle_refund_in(tx, case, &refunded, &Actor::hearing(C::CONTEXT, event)).await?;
            }
        }
        Ok(Handled::Done)
    }

    /// The payment and its case, if that case is one of this context's.
    async fn ours<'p>(&self, tx: &Tx, payment: Option<&'p Payment>) -> Result<Option<(&'p Payment, C::Case)>, Error> {
        let Some(payment) = payment.filter(|payment| payment.case.starts_with(C::COLLECTION)) else {
            return Ok(None);
        };
        // A case is committed before its payment is asked for: one that is missing is lost, and what payment tells of it, money
        // among it, must not be lost as well. The event is put aside for a person to look at.
        let Some(case) = self.0.cases.find(tx, &payment.case, &Scope::All).await? else {
            return Err(Error::Internal(format!("{} is for {}, which is not here", payment.name, payment.case)));
        };
        Ok(Some((payment, case)))
    }
}

/// Whether all that a cancellation gives back went back, by whatever refunds.
fn covers(payment: &Payment, record: &Record) -> bool {
    let given_back = payment.refunded_amount.as_ref().and_then(|amount| Money::try_from(amount).ok());
    match (given_back, record.refund_amount) {
        (Some(given_back), Some(owed)) => given_back.minus(owed).is_ok(),
        _ => false,
    }
}

fn attempt_of(record: &Record, payment: &str) -> Option<u32> {
    (1..=record.standing.attempt).rev().find(|attempt| payment_name(&record.name, *attempt) == payment)
}

fn decode<M: Message + Name + Default>(event: &Event) -> Result<Option<M>, Error> {
    event
        .decode()
        .transpose()
        .map_err(|error| Error::Internal(format!("an event of kind {} does not decode: {error}", event.kind)))
}
