//! Rule K: a customer wants to cancel what somebody may have begun to fulfil. Those who fulfil it decide, because only they know.
//!
//! 1. The wish is committed and told (CancelAsked). Nothing is refunded, no unit is given back, and nothing is promised.
//! 2. Whoever fulfils the case hears it, and answers by one conditional update of their own row: stopped, or begun.
//! 3. The case hears that. Stopped: it is cancelled, as rule C says. Begun: the wish is cleared, and CancelRefused is told.
//!
//! The case is asked to be cancelled by its own row and begun by theirs; if the case alone decided, the customer would get the money back
//! and the goods as well.

use std::time::Duration;

use mesh_foundation::{
    call::Actor,
    error::{Error, Refusal},
};
use mesh_store::{
    db::Tx,
    requests::{self, Answer, Claim, Request},
    watch,
};
use tokio::time::Instant;

use super::{
    Checkout,
    begin::ANSWER_MARGIN,
    machine::{self, State, Verdict},
    reasons,
    record::{Case, Cases, Record, Scope},
    store,
};

/// In place of a payment attempt, in the records of requests that wait for a verdict. Attempts are counted from 1.
pub(super) const VERDICT: u32 = 0;

/// Whether the case was asked to be cancelled, and whoever fulfils it has not said yet whether it can be.
pub(super) fn awaits_verdict(record: &Record) -> bool {
    record.state() == State::Confirmed && record.standing.cancel_asked
}

impl<C: Cases> Checkout<C> {
    /// Applies the verdict of whoever fulfils the case, in a transaction that is open already, and returns the case as it then stands.
    /// Nothing is written if nobody waits for a verdict: they tell it of every case that they stop or begin, in any order and more
    /// than once.
    pub async fn judged_in(&self, tx: &Tx, name: &str, verdict: Verdict, actor: &Actor) -> Result<C::Case, Error> {
        let case = self.must_find(tx, name, &Scope::All).await?;
        match machine::judged(&case.record().standing, verdict) {
            Some(step) => self.take_step(tx, case, step, None, actor).await,
            None => Ok(case),
        }
    }

    /// One more request waits for a verdict that was asked for before. It writes the case, so that a verdict that is committed at the same
    /// time comes either after it, and answers it, or before it, and then this reads again: it never passes by unseen.
    pub(super) async fn queue_for_verdict(&self, tx: &Tx, mut case: C::Case) -> Result<(), Error> {
        let record = case.record_mut();
        let from = (record.version, record.state());
        record.version += 1;
        record.update_time = self.0.clock.now();
        tx.expect(store::update::<C>(from, &case)?).await
    }

    /// What whoever asked is told: the verdict, or the case as it is if none comes in time.
    pub(super) async fn verdict(
        &self,
        name: &str,
        waits: Duration,
        request: Option<&Request>,
    ) -> Result<Answer, Error> {
        let within = waits.saturating_sub(ANSWER_MARGIN).min(self.0.settings.cancel_wait);
        let look = || self.get(name, &Scope::All);
        // A stop waits for the calls in hand, and the wish stands.
        let enough = |case: &C::Case| !awaits_verdict(case.record()) || self.0.background.is_draining();
        let case = watch::until(&self.0.database, Instant::now() + within, look, enough).await?;
        if let Some(request) = request
            && let Claim::Answered(answer) = requests::look(self.0.database.read(), request).await?
        {
            return Ok(answer);
        }
        Ok(if awaits_verdict(case.record()) { Answer::Ok(self.0.cases.answer(&case)) } else { self.told(&case) })
    }

    /// What a request is answered with that asked to cancel a case on which there is a verdict.
    pub(super) fn told(&self, case: &C::Case) -> Answer {
        let record = case.record();
        if record.state() != State::Confirmed {
            return Answer::Ok(self.0.cases.answer(case));
        }
        let what = format!("the {} has been begun and can be cancelled no more", C::WORD);
        let refusal = Refusal::new(reasons::CANCELLATION_CLOSED, what)
            .hint("ask the other party or the service centre to cancel it")
            .with("closed_time", record.update_time)
            .with("case", &record.name);
        Answer::Refused(refusal)
    }
}
