//! Cancelling: irrevocable, and repeating it is harmless (rule C).

use super::{
    Checkout,
    machine::{self, Cancel, State},
    record::{Case, Cases, Scope},
};
use crate::{
    call::Actor,
    db::Tx,
    error::{Error, Reason, Refusal},
    killpoint::KillPoint,
    requests::{self, Answer, Claim, Request},
};

/// Whether a cancellation can come too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It is refused from [`Case::cancel_until`] on: who cancels wants out of what was agreed.
    Binds,
    /// It is not: there is nothing left to be had.
    Waived,
}

impl<C: Cases> Checkout<C> {
    /// Cancels a case for whoever may see it, and answers it as it then stands. A case that has ended, or is being cancelled, is
    /// answered as it is.
    pub async fn cancel(
        &self,
        name: &str,
        scope: Scope,
        reason: &str,
        request: Option<Request>,
        actor: &Actor,
    ) -> Result<Answer, Error> {
        self.cancel_by(name, &scope, reason, request.as_ref(), Closing::Binds, actor).await
    }

    /// Cancels a case of which what was sold is gone, whether cancelling it has closed or not. Unless its payer is the one who does,
    /// everything is given back.
    pub async fn withdraw(&self, name: &str, reason: &str, actor: &Actor) -> Result<Answer, Error> {
        self.cancel_by(name, &Scope::All, reason, None, Closing::Waived, actor).await
    }

    async fn cancel_by(
        &self,
        name: &str,
        scope: &Scope,
        reason: &str,
        request: Option<&Request>,
        closing: Closing,
        actor: &Actor,
    ) -> Result<Answer, Error> {
        let answer = self
            .0
            .database
            .transact("cancel", |tx| async move {
                if let Some(request) = request
                    && let Claim::Answered(answer) = requests::claim(&tx, request, None, self.0.clock.now()).await?
                {
                    return Ok(answer);
                }
                let case = self.0.cases.find(&tx, name, scope).await?.ok_or_else(|| self.0.cases.not_found(name))?;
                let case = self.cancel_in(&tx, case, reason, closing, actor).await?;
                let answer = Answer::Ok(self.0.cases.answer(&case));
                if let Some(request) = request {
                    requests::answer(&tx, request, &answer).await?;
                }
                Ok(answer)
            })
            .await?;
        KillPoint::AfterCancel.reached();
        // A case whose payment is under way is asked about at once rather than at the next interval.
        self.0.work.notify_one();
        Ok(answer)
    }

    pub(super) async fn cancel_in(
        &self,
        tx: &Tx,
        mut case: C::Case,
        reason: &str,
        closing: Closing,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let now = self.0.clock.now();
        let step = match machine::cancel(&case.record().standing) {
            Cancel::Step(step) => step,
            Cancel::AsItIs => return Ok(case),
            Cancel::Refuse => {
                let state = case.record().state().name();
                return Err(Refusal::new(
                    Reason::IllegalTransition,
                    format!("the {} is {state}: nothing is held and nothing is charged", C::WORD),
                )
                .with("from", state)
                .with("to", State::Cancelled.name())
                .into());
            }
        };
        let closed_time = case.cancel_until();
        if closing == Closing::Binds && now >= closed_time && case.record().state() == State::Confirmed {
            return Err(Refusal::new(
                Reason::CancellationClosed,
                format!("the {} could be cancelled until {closed_time}", C::WORD),
            )
            .with("closed_time", closed_time)
            .into());
        }
        // The policy binds the guest. Whoever else cancels a guest's stay gives everything back.
        let by_guest = case.record().payer == actor.actor;
        let refund = if by_guest { case.refund_at(now) } else { case.record().total };
        let record = case.record_mut();
        record.cancel_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        if record.state() == State::Confirmed || step.after.cancel_asked {
            // Frozen now: what the guest was promised when asking is what comes back, however long payment takes.
            record.refund_amount = Some(refund);
            record.cancel_time = Some(now);
        }
        let actor = Actor { correlation_id: record.correlation_id.clone(), ..actor.clone() };
        self.take_step(tx, case, step, None, &actor).await
    }
}
