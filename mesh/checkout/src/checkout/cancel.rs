//! Cancelling: irrevocable, and repeating it is harmless (rule C).

use std::time::Duration;

use mesh_foundation::{
    call::Actor,
    error::{Error, Reason, Refusal},
    fields::refusal_of,
};
use mesh_store::{
    db::Tx,
    requests::{self, Answer, Claim, Request},
};

use super::{
    Checkout, Inner,
    cancellation::{Asks, By, Cancellation, Cause, Closing},
    judge::{VERDICT, awaits_verdict},
    kill,
    machine::{self, Cancel, Judge, State},
    reasons,
    record::{Case, Cases, Scope},
};

/// A cancellation as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Cancels<'a> {
    /// Who asks.
    pub asks: Asks<'a>,
    /// Why, in a word; none is the usual one of whoever asks.
    pub cause: Option<Cause>,
    /// Why, in the words of whoever asks.
    pub reason: &'a str,
    /// How long whoever asks listens. For whoever decides (rule K) they wait no longer than that, nor than `Settings::cancel_wait`.
    pub waits: Duration,
}

impl<C: Cases> Checkout<C> {
    /// Cancels a case for whoever may see it, and answers it as it then stands. A case that has ended, or is being cancelled, is
    /// answered as it is.
    ///
    /// Where somebody else decides whether it still can be cancelled, the answer waits for them: the case as it is cancelled, or the
    /// refusal CANCELLATION_CLOSED. If they take longer than `waits`, the case is answered as it is, with its `cancel_time` set: the wish
    /// stands, and is decided when they are back (rule K).
    pub async fn cancel(
        &self,
        name: &str,
        scope: Scope,
        cancels: Cancels<'_>,
        request: Option<Request>,
        actor: &Actor,
    ) -> Result<Answer, Error> {
        let (scope, cancels) = (&scope, &cancels);
        let Inner { cases, database, clock, work, .. } = &*self.0;
        let sent = request.as_ref();
        let answer = database
            .transact("cancel", |tx| async move {
                if let Some(request) = sent {
                    match requests::claim(&tx, request, requests::record(request, None, None, clock.now())?).await? {
                        Claim::New => {}
                        Claim::Answered(answer) => return Ok(Some(answer)),
                        Claim::Open { .. } => return Ok(None),
                    }
                }
                let case = self.must_find(&tx, name, scope).await?;
                let version = case.record().version;
                let case = self.cancel_in(&tx, case, cancels, actor).await?;
                let undecided = awaits_verdict(case.record());
                if undecided && sent.is_some() && case.record().version == version {
                    self.queue_for_verdict(&tx, case.clone()).await?;
                }
                let answer = Answer::Ok(cases.answer(&case));
                if let Some(request) = sent {
                    let record = if undecided {
                        requests::wait_for(request, name, VERDICT)?
                    } else {
                        requests::answer(request, &answer)
                    };
                    tx.expect(record).await?;
                }
                Ok(Some(answer).filter(|_| !undecided))
            })
            .await?;
        kill::AFTER_CANCEL.reached();
        // A case whose payment is under way is asked about at once rather than at the next interval.
        work.notify_one();
        match answer {
            Some(answer) => Ok(answer),
            None => self.verdict(name, cancels.waits, sent).await,
        }
    }

    async fn cancel_in(
        &self,
        tx: &Tx,
        mut case: C::Case,
        cancels: &Cancels<'_>,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let now = self.0.clock.now();
        let party = By::of(cancels.asks, case.record());
        let judge = match case.closing(party, now) {
            Closing::Ask => Judge::Fulfilment,
            // Asked before it closed, and not decided yet.
            Closing::Closed(_) if party == By::Guest && awaits_verdict(case.record()) => Judge::Fulfilment,
            Closing::Open | Closing::Closed(_) => Judge::Case,
        };
        let step = match machine::cancel(&case.record().standing, judge) {
            Cancel::Step(step) => step,
            Cancel::AsItIs => return Ok(case),
            Cancel::Refuse => {
                let state = case.record().state().name();
                return Err(Refusal::new(
                    Reason::ILLEGAL_TRANSITION,
                    format!("the {} is {state}: nothing is held and nothing is charged", C::WORD),
                )
                .with("from", state)
                .with("to", State::Cancelled.name())
                .into());
            }
        };
        let cancellation = Cancellation { party, cause: cancels.cause.unwrap_or(party.usual_cause()) };
        self.check(&case, cancellation)?;
        // The policy binds nobody who never had a moment for cancelling: what is booked after check-in, and not paid yet.
        let was_never_open =
            case.record().state() == State::Pending && matches!(case.closing(By::Guest, now), Closing::Closed(_));
        let by_policy = cancellation.goes_by_policy() && !was_never_open;
        let refund = if by_policy { case.refund_at(now) } else { case.record().total };
        let record = case.record_mut();
        record.cancellation = Some(cancellation);
        record.cancel_reason = Some(cancels.reason.to_owned()).filter(|reason| !reason.is_empty());
        if record.state() == State::Confirmed || step.after.cancel_asked {
            // Frozen now: what the guest was promised when asking is what comes back, however long payment takes.
            record.refund_amount = Some(refund);
            record.cancel_time = Some(now);
        }
        let actor = Actor { correlation_id: record.correlation_id.clone(), ..actor.clone() };
        self.take_step(tx, case, step, None, &actor).await
    }

    /// Refuses a cancellation that comes too late, or that says what cannot be known yet.
    fn check(&self, case: &C::Case, cancellation: Cancellation) -> Result<(), Error> {
        let now = self.0.clock.now();
        let Cancellation { party, cause } = cancellation;
        let may_be = case.record().state() == State::Confirmed && case.may_be_no_show(now);
        if cause == Cause::NoShow && (!may_be || !matches!(party, By::Host | By::Agent)) {
            return Err(fault("is NO_SHOW, which a host or an agent may say for a day after the first night"));
        }
        if cause == Cause::ListingRemoved && party != By::System {
            return Err(fault("is LISTING_REMOVED, which only the system says"));
        }
        if case.record().state() == State::Confirmed
            && let Closing::Closed(closed_time) = case.closing(party, now)
        {
            let what = format!("the {} could be cancelled until {closed_time}", C::WORD);
            return Err(Refusal::new(reasons::CANCELLATION_CLOSED, what).with("closed_time", closed_time).into());
        }
        Ok(())
    }
}

fn fault(what: &str) -> Error {
    refusal_of("cause", what).into()
}
