//! VoidPayment, and the voiding of abandoned payments.

use mesh::{Actor, Caller, Error, outbox};
use uuid::Uuid;

use super::{App, not_found};
use crate::{
    domain::{
        machine::{Standing, State},
        payment::{Fact, Payment},
    },
    events, store,
};

impl App {
    /// Voids a payment, whether it exists or not, and returns its state.
    pub async fn void(&self, caller: &Caller, id: Uuid, case: &str) -> Result<Payment, Error> {
        let actor = &caller.actor();
        self.database
            .transact("void_payment", |tx| async move {
                let now = self.clock.now();
                let tombstone = Payment::tombstone(id, case.to_owned(), caller.correlation_id.clone(), now);
                let Some(mut payment) = store::lock_or_insert(&tx, &tombstone).await? else {
                    outbox::append(&tx, events::event(&tombstone, &Fact::Voided, actor)).await?;
                    return Ok(tombstone);
                };
                if payment.case != case {
                    return Err(not_found(&payment.name()));
                }
                if let Some(change) = payment.void(now) {
                    self.commit(&tx, &mut payment, change, actor, now).await?;
                }
                Ok(payment)
            })
            .await
    }

    /// Voids a payment whose call was never sent, unless it has been called since.
    pub(super) async fn abandon(&self, id: Uuid) -> Result<(), Error> {
        const NEVER_CALLED: Standing = Standing { state: State::Pending, calls: 0 };
        self.database
            .transact("abandon_payment", |tx| async move {
                let now = self.clock.now();
                let Some(mut payment) = store::lock(&tx, id).await? else { return Ok(()) };
                if payment.standing == NEVER_CALLED
                    && let Some(change) = payment.void(now)
                {
                    let actor = Actor::context(crate::CONTEXT, &payment.correlation_id);
                    self.commit(&tx, &mut payment, change, &actor, now).await?;
                }
                Ok(())
            })
            .await
    }
}
