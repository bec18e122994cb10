//! T2: an outcome becomes a transition, whoever brings it (handler, retry, payment's event, sweeper), in one commit (rule T).

use std::time::Duration;

use jiff::Timestamp;
use mesh_foundation::{
    call::Actor,
    error::{Error, Refusal},
};
use mesh_store::{
    db::{self, Tx, Work},
    outbox,
    requests::{self, Answer},
};
use opentelemetry::KeyValue;

use super::{
    Checkout, Settings,
    judge::VERDICT,
    machine::{self, Fact, Outcome, Requests, Settle, State, Step, Units},
    metrics,
    payments::PaymentStatus,
    reasons,
    record::{Case, Cases, Record, Scope},
    store,
};

/// When a caller whose payment is unsettled may ask again.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// When a caller who was held off may pay again.
const PAY_AGAIN: Duration = Duration::from_secs(3);
/// `reject_reason` of a case whose payment was voided before it came about.
const VOIDED: &str = "PAYMENT_VOIDED";
/// `reject_reason` of a case whose payment was surely not sent.
const UNAVAILABLE: &str = "PAYMENT_UNAVAILABLE";
/// `reject_reason` of a declined payment whose provider gave no reason.
const DECLINED: &str = "DECLINED";
/// An orphan's bit: attempts are bounded well below this.
const MAX_ORPHAN_BITS: u32 = 62;

/// A transition as it is committed.
struct Transition<K> {
    /// The case after it.
    case: K,
    /// The conditional update. It comes first, because everything else hangs on it.
    update: db::Step,
    gives_back: Vec<db::Step>,
    /// Events and stored answers.
    follows: Vec<db::Step>,
}

impl<C: Cases> Checkout<C> {
    /// Applies what was seen of an attempt to the case as its caller has just written it, and returns the case as it then stands. Nothing
    /// is read before: the update itself finds out whether the case is still so. If it is not, what stands decides, as it does where
    /// there is no step to take.
    pub(super) async fn settle_as_written(
        &self,
        written: &C::Case,
        attempt: u32,
        seen: &PaymentStatus,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let record = written.record();
        let past_expiry = record.past_expiry(self.0.clock.now());
        let Settle::Step(step) = machine::settle(&record.standing, attempt, seen.outcome, past_expiry) else {
            return self.settle(&record.name, attempt, seen, actor).await;
        };
        let Transition { case, update, gives_back, follows } =
            self.transition(written.clone(), step, Some((attempt, seen)), actor)?;
        let work = Work::new("settle")
            .then(update)
            .then_all(gives_back)
            .then_all(follows)
            .on_commit(count_settled::<C>(&case));
        self.0
            .database
            .perform_or(work, case, |tx| self.settle_by_what_stands(tx, &record.name, attempt, seen, actor))
            .await
    }

    /// Applies what was seen of an attempt, and returns the case as it then stands.
    pub(super) async fn settle(
        &self,
        name: &str,
        attempt: u32,
        seen: &PaymentStatus,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let database = &self.0.database;
        database.transact("settle", |tx| self.settle_by_what_stands(tx, name, attempt, seen, actor)).await
    }

    async fn settle_by_what_stands(
        &self,
        tx: Tx,
        name: &str,
        attempt: u32,
        seen: &PaymentStatus,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let case = self.must_find(&tx, name, &Scope::All).await?;
        self.settle_in(&tx, case, attempt, seen, actor).await
    }

    /// The case as it stands in this transaction, or the refusal that there is none.
    pub(super) async fn must_find(&self, tx: &Tx, name: &str, scope: &Scope) -> Result<C::Case, Error> {
        store::find::<C>(&**tx, name, scope).await?.ok_or_else(|| store::not_found::<C>(name))
    }

    /// The same, in a transaction that is open already.
    pub(super) async fn settle_in(
        &self,
        tx: &Tx,
        case: C::Case,
        attempt: u32,
        seen: &PaymentStatus,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let now = self.0.clock.now();
        let record = case.record();
        match machine::settle(&record.standing, attempt, seen.outcome, record.past_expiry(now)) {
            Settle::Step(step) => {
                let case = self.take_step(tx, case, step, Some((attempt, seen)), actor).await?;
                // This transaction may lose and be run again, or be rolled back with all that was heard together.
                tx.on_commit(count_settled::<C>(&case));
                Ok(case)
            }
            Settle::GiveBack => self.give_money_back(tx, case, attempt, actor).await,
            Settle::Nothing if self.learns_action(record, attempt, seen) => self.note_action(tx, case, seen).await,
            Settle::Nothing => Ok(case),
        }
    }

    /// Takes a step in a transaction that is open already, and returns the case after it.
    pub(super) async fn take_step(
        &self,
        tx: &Tx,
        before: C::Case,
        step: Step,
        brought: Option<(u32, &PaymentStatus)>,
        actor: &Actor,
    ) -> Result<C::Case, Error> {
        let Transition { case, update, gives_back, follows } = self.transition(before, step, brought, actor)?;
        if tx.is_shared() && !gives_back.is_empty() {
            // Units are rows of many cases. With those of one case locked, this transaction would wait for the row of the next, while whoever
            // settles that one waits for the units.
            return Err(Error::Apart);
        }
        tx.expect(update).await?;
        for step in gives_back {
            match tx.expect(step).await {
                // The update has locked the case, so nobody else has given them back.
                Err(Error::Lost) => {
                    let name = &case.record().name;
                    return Err(Error::Internal(format!("units that {name} holds are not there to be given back")));
                }
                outcome => outcome?,
            }
        }
        for step in follows {
            tx.expect(step).await?;
        }
        Ok(case)
    }

    /// What a step makes of the case `before` it.
    fn transition(
        &self,
        before: C::Case,
        step: Step,
        brought: Option<(u32, &PaymentStatus)>,
        actor: &Actor,
    ) -> Result<Transition<C::Case>, Error> {
        let now = self.0.clock.now();
        let from = (before.record().version, before.record().state());
        let mut case = before;
        let mut follows = Vec::with_capacity(step.facts.len() + 1);
        for fact in facts_without_empty_refund(&step, &case, now) {
            become_true(&mut case, fact, brought.map(|(_, seen)| seen), now);
            follows.push(outbox::appended(self.0.cases.event(&case, fact, actor)?)?);
        }
        let record = case.record_mut();
        if follows.is_empty() {
            record.version += 1;
        }
        // The facts moved the state; a cancellation that has nothing to refund has gone one further than the step.
        let state = if follows.is_empty() { step.after.state } else { record.standing.state };
        record.standing = machine::Standing { state, ..step.after };
        if !record.standing.attempt_open {
            record.payment_action = None;
        }
        if let Some((_, PaymentStatus { outcome: Outcome::Declined, reason, .. })) = brought {
            record.reject_reason = Some(reason.clone().unwrap_or_else(|| DECLINED.to_owned()));
        }
        record.update_time = now;
        record.sweeps = 0;
        let not_sent = brought.is_some_and(|(_, seen)| seen.outcome == Outcome::NotSent);
        record.next_attempt_time = next_look(record, not_sent, &self.0.settings, now);

        let name = &case.record().name;
        match (step.requests, brought) {
            (Requests::Free, Some((attempt, _))) => follows.push(requests::free_case(name, attempt)?),
            (Requests::Answer, Some((attempt, seen))) => {
                follows.push(requests::answer_case(name, attempt, &self.answer(&case, attempt, seen))?);
            }
            (Requests::AnswerCancel, _) => follows.push(requests::answer_case(name, VERDICT, &self.told(&case))?),
            (Requests::Leave, _) | (Requests::Free | Requests::Answer, None) => {}
        }
        let gives_back = if step.units == Units::GiveBack { self.0.cases.give_back(&case) } else { Vec::new() };
        Ok(Transition { update: store::update::<C>(from, &case)?, gives_back, follows, case })
    }

    /// Rule O, once for each attempt: the bit and the event are one conditional commit.
    async fn give_money_back(&self, tx: &Tx, before: C::Case, attempt: u32, actor: &Actor) -> Result<C::Case, Error> {
        let bit = 1_i64 << attempt.min(MAX_ORPHAN_BITS);
        if before.record().orphans & bit != 0 {
            return Ok(before);
        }
        let now = self.0.clock.now();
        let from = (before.record().version, before.record().state());
        let mut case = before;
        let record = case.record_mut();
        record.version += 1;
        record.orphans |= bit;
        record.update_time = now;
        tx.expect(store::update::<C>(from, &case)?).await?;
        outbox::append(tx, self.0.cases.event(&case, Fact::RefundRequested(attempt), actor)?).await?;
        Ok(case)
    }

    fn learns_action(&self, record: &Record, attempt: u32, seen: &PaymentStatus) -> bool {
        record.state() == State::Pending
            && record.standing.attempt_open
            && record.standing.attempt == attempt
            && seen.action.is_some()
            && seen.action != record.payment_action
    }

    /// The payer has to do something at the provider's page first: the case stays PENDING and says what.
    async fn note_action(&self, tx: &Tx, before: C::Case, seen: &PaymentStatus) -> Result<C::Case, Error> {
        let from = (before.record().version, before.record().state());
        let mut case = before;
        let record = case.record_mut();
        record.version += 1;
        record.payment_action = seen.action.clone();
        record.update_time = self.0.clock.now();
        tx.expect(store::update::<C>(from, &case)?).await?;
        Ok(case)
    }

    /// What the caller of that attempt is told: by what stands, whoever brought it about.
    pub(super) fn answer(&self, case: &C::Case, attempt: u32, seen: &PaymentStatus) -> Answer {
        let record = case.record();
        let about = |refusal: Refusal| Answer::Refused(refusal.with("case", &record.name));
        let paid = record.confirm_time.is_some() && record.standing.attempt == attempt;
        let open = record.standing.attempt_open && record.standing.attempt == attempt;
        let not_sent = seen.outcome == Outcome::NotSent
            && (open && record.standing.calls == 0 || record.reject_reason.as_deref() == Some(UNAVAILABLE));
        match record.state() {
            State::Confirmed | State::CancelRequested | State::Cancelled if paid => {
                Answer::Ok(self.0.cases.answer(case))
            }
            // Rule A: only a declined attempt has a successor, whose reason `reject_reason` may be by now.
            state if seen.outcome == Outcome::Declined || attempt < record.standing.attempt => {
                about(declined::<C>(record, state, seen.reason.as_deref().unwrap_or(DECLINED)))
            }
            _ if not_sent => about(seen.refusal.clone().unwrap_or_else(|| {
                Refusal::new(reasons::PAYMENT_UNAVAILABLE, "payment cannot be reached; nothing is charged")
                    .hint("pay again shortly")
                    .retry_after(PAY_AGAIN)
            })),
            State::Pending if open && record.payment_action.is_some() => Answer::Ok(self.0.cases.answer(case)),
            State::Pending if open => about(
                Refusal::new(reasons::PAYMENT_PENDING, "the payment's outcome is not known yet, and settles by itself")
                    .hint(format!("watch the {0} or send the same request_id again; do not begin another {0}", C::WORD))
                    .with("expire_time", record.hold_expire_time)
                    .retry_after(ASK_AGAIN),
            ),
            state => match record.reject_reason.as_deref() {
                Some(reason) if !matches!(reason, VOIDED | UNAVAILABLE) => about(declined::<C>(record, state, reason)),
                _ => about(
                    Refusal::new(
                        reasons::PAYMENT_VOIDED,
                        format!("the {} ended as {} before it was paid; nothing stays charged", C::WORD, state.name()),
                    )
                    .hint("begin again"),
                ),
            },
        }
    }
}

/// Counts a case that was settled.
fn count_settled<C: Cases>(case: &C::Case) -> impl FnOnce() + Send + use<C> {
    let labels = [KeyValue::new("context", C::CONTEXT), KeyValue::new("state", case.record().state().name())];
    move || metrics::SETTLED.add(1, &labels)
}

fn declined<C: Cases>(record: &Record, state: State, reason: &str) -> Refusal {
    let refusal = Refusal::new(reasons::PAYMENT_DECLINED, format!("the payment was declined: {reason}"))
        .with("decline_reason", reason);
    if state == State::Pending {
        refusal.hint(format!("the hold stands until {}; pay with another method", record.hold_expire_time))
    } else if record.confirm_time.is_some() {
        refusal.hint(format!("nothing is charged to it; the {} was paid for by another method", C::WORD))
    } else {
        refusal.hint(format!("nothing is charged and the {} is given up; begin again with another method", C::WORD))
    }
}

/// The refusal when payment is not even asked.
pub(super) fn payment_unavailable(why: Refusal) -> Refusal {
    Refusal::new(reasons::PAYMENT_UNAVAILABLE, "payment takes no calls right now; nothing is charged")
        .hint("pay again shortly")
        .retry_after(why.retry_after.unwrap_or(PAY_AGAIN))
}

/// A cancellation that gives nothing back is complete at once: there is nothing to ask of payment.
fn facts_without_empty_refund<K: Case>(step: &Step, case: &K, now: Timestamp) -> Vec<Fact> {
    let refund = case.record().refund_amount.unwrap_or_else(|| case.refund_at(now));
    step.facts
        .iter()
        .map(|fact| if *fact == Fact::CancelRequested && refund.is_zero() { Fact::Cancelled } else { *fact })
        .collect()
}

/// Writes one fact on the case: its next version.
fn become_true<K: Case>(case: &mut K, fact: Fact, seen: Option<&PaymentStatus>, now: Timestamp) {
    let refund = case.refund_at(now);
    let record = case.record_mut();
    let was_paid = record.confirm_time.is_some();
    record.version += 1;
    record.update_time = now;
    match fact {
        Fact::Held | Fact::RefundRequested(_) | Fact::CancelAsked => {}
        Fact::CancelRefused => {
            record.cancellation = None;
            record.cancel_reason = None;
            record.cancel_time = None;
            record.refund_amount = None;
        }
        Fact::Confirmed => {
            record.standing.state = State::Confirmed;
            record.confirm_time = Some(now);
            record.reject_reason = None;
            record.pay_time = Some(seen.and_then(|seen| seen.pay_time).unwrap_or(now));
            record.payment_label = seen.and_then(|seen| seen.label.clone());
        }
        Fact::Rejected => {
            record.standing.state = State::Rejected;
            record.reject_reason = Some(rejected_because(seen));
        }
        Fact::Expired => record.standing.state = State::Expired,
        Fact::CancelRequested => {
            record.standing.state = State::CancelRequested;
            record.cancel_time.get_or_insert(now);
            record.refund_amount.get_or_insert(refund);
        }
        Fact::Cancelled => {
            record.standing.state = State::Cancelled;
            record.cancel_time.get_or_insert(now);
            record.refund_failure_reason = None;
            if was_paid {
                record.refund_amount.get_or_insert(refund);
            } else {
                // Promised when the guest asked to cancel, for the case that it would be paid: it was not.
                record.refund_amount = None;
            }
        }
    }
}

fn rejected_because(seen: Option<&PaymentStatus>) -> String {
    match seen {
        Some(PaymentStatus { reason: Some(reason), .. }) => reason.clone(),
        Some(PaymentStatus { outcome: Outcome::Voided, .. }) => VOIDED.to_owned(),
        Some(PaymentStatus { outcome: Outcome::NotSent, .. }) => UNAVAILABLE.to_owned(),
        _ => DECLINED.to_owned(),
    }
}

/// When the sweeper looks at the case next. It chooses only when to ask (rule S): an attempt that was surely not sent waits for
/// its payer until the hold expires, any other open attempt is asked about soon.
fn next_look(record: &Record, not_sent: bool, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    match record.state() {
        State::Pending if record.standing.cancel_asked => Some(now),
        State::Pending if record.standing.attempt_open && !not_sent => Some(now + settings.settle_after),
        State::Pending => Some(record.hold_expire_time),
        State::CancelRequested => Some(now + settings.settle_after),
        State::Confirmed | State::Cancelled | State::Rejected | State::Expired => None,
    }
}
