//! T1 and what follows it: taking the hold, and paying for it.

use std::time::Duration;

use jiff::Timestamp;
use mesh_foundation::{
    call::{Actor, Caller},
    error::{Error, Reason, Refusal},
};
use mesh_store::{
    db::{Step, Tx, Work},
    outbox,
    requests::{self, Answer, Claim, Request},
};

use super::{
    Checkout, Inner, kill,
    machine::{self, Mode, Outcome, State},
    payments::PaymentStatus,
    reasons,
    record::{Case, Cases, Scope, payment_name},
    reserve::INTENT,
    settle::payment_unavailable,
    store::{self, intent},
    waiting::Reply,
};

/// What is kept of the caller's time for settling and answering.
pub(super) const ANSWER_MARGIN: Duration = Duration::from_millis(200);

/// What T1 led to.
enum Begun<K> {
    /// The request was answered before.
    Replay(Answer),
    /// A hold without a payment: its answer is final.
    Held(K),
    /// The newest attempt is to be paid: the call is counted. `others` is when somebody else last called for it, if anybody did.
    Pays { case: K, others: Option<Timestamp> },
    /// This attempt needs no call any more, or must have none: what stands is the answer.
    Stands(K, u32),
}

/// T1, as it is committed.
struct Hold<K> {
    case: K,
    pays: bool,
    /// Whether another context holds the units by now. Then the request record was written together with the intent.
    reserved: bool,
    /// The request record. It comes first (rule R).
    record: Option<Step>,
    steps: Vec<Step>,
}

impl<K: Clone> Hold<K> {
    /// What T1 leads to when it is taken.
    fn begun(&self) -> Begun<K> {
        let case = self.case.clone();
        if self.pays { Begun::Pays { case, others: None } } else { Begun::Held(case) }
    }
}

impl<C: Cases> Checkout<C> {
    /// The answer to a request whose id was seen before: its first answer, or that of the payment under way, which is joined (rule R).
    /// Otherwise the refusal. Asked before anything is refused, because what is checked, like a price, may have changed since the first time.
    pub async fn replay_or(
        &self,
        refusal: Error,
        request: Option<&Request>,
        token: Option<&str>,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let Some(request) = request else { return Err(refusal) };
        let claim = match requests::look(self.0.database.read(), request).await? {
            Claim::Open { attempt: INTENT, .. } => self.past_intent(request).await?,
            claim => claim,
        };
        match claim {
            Claim::New => Err(refusal),
            Claim::Answered(answer) => Ok(answer),
            Claim::Open { case, attempt } => {
                let (this, joins, token) = (self.clone(), caller.clone(), token.map(str::to_owned));
                let work = async move {
                    let (this, case) = (&this, case.as_str());
                    let join = |tx| async move { this.join(&tx, case, attempt).await };
                    let begun = this.0.database.transact("join", join).await?;
                    Ok(this.go_on(begun, token.as_deref(), &joins).await)
                };
                let reply = self.detached(work).await?;
                Ok(self.heard(reply, Some(request), caller).await)
            }
        }
    }

    /// Takes the hold for `case` and, if it came with a payment method's token, pays for it: confirmed, or refused with the units
    /// back at once. Without a token the hold is the answer. None if what the case was made from does not stand any more: then nothing is
    /// held, and the caller makes the case anew.
    ///
    /// All that changes anything runs in a task of its own: a caller who hangs up changes nothing (rule D).
    pub async fn create(
        &self,
        case: C::Case,
        token: Option<String>,
        request: Option<Request>,
        caller: &Caller,
    ) -> Result<Option<Answer>, Error> {
        if token.is_some()
            && let Err(closed) = self.check_circuit()
        {
            return self.replay_or(closed, request.as_ref(), token.as_deref(), caller).await.map(Some);
        }
        if let Some(reserves) = self.0.cases.reserves()
            && reserves.refuses_now()
        {
            let closed = reserves.unavailable().into();
            return self.replay_or(closed, request.as_ref(), token.as_deref(), caller).await.map(Some);
        }
        let (this, books, sent) = (self.clone(), caller.clone(), request.clone());
        let work = async move {
            let Some(begun) = this.begin(case, token.is_some(), sent.as_ref(), &books).await? else {
                return Ok(None);
            };
            kill::AFTER_HOLD.reached();
            Ok(Some(this.go_on(begun, token.as_deref(), &books).await))
        };
        match self.detached(work).await? {
            Some(reply) => Ok(Some(self.heard(reply, request.as_ref(), caller).await)),
            None => Ok(None),
        }
    }

    /// Pays for a hold. Another token may be tried as long as the one before was declined.
    pub async fn pay(
        &self,
        name: &str,
        scope: Scope,
        token: String,
        request: Option<Request>,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        if let Err(closed) = self.check_circuit() {
            return self.replay_or(closed, request.as_ref(), Some(&token), caller).await;
        }
        let (this, pays, name, sent) = (self.clone(), caller.clone(), name.to_owned(), request.clone());
        let work = async move {
            let begun = this.open_attempt(&name, &scope, sent.as_ref()).await?;
            Ok(this.go_on(begun, Some(&token), &pays).await)
        };
        let reply = self.detached(work).await?;
        Ok(self.heard(reply, request.as_ref(), caller).await)
    }

    /// What comes of `work`, which goes on without its caller.
    async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let ended = self.0.background.detach(work).await;
        ended.map_err(|error| Error::Internal(format!("a checkout ended without an answer: {error}")))?
    }

    /// The answer, once what others have called for is heard. That wait is not detached: it changes nothing, and would outlast the
    /// caller's place among the calls in flight, by which the number of waits is bounded.
    async fn heard(&self, reply: Reply, request: Option<&Request>, caller: &Caller) -> Answer {
        let Reply { answer, others } = reply;
        match others {
            Some(others) => self.outcome_of_others(&others, request, caller).await.unwrap_or(answer),
            None => answer,
        }
    }

    /// With payment's circuit open no hold is taken.
    fn check_circuit(&self) -> Result<(), Error> {
        match self.0.payments.refuses_now() {
            Some(why) => Err(payment_unavailable(why).into()),
            None => Ok(()),
        }
    }

    /// T1, after another context holds the units if they are not here (rule H).
    async fn begin(
        &self,
        case: C::Case,
        pays: bool,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Result<Option<Begun<C::Case>>, Error> {
        let Some(reserves) = self.0.cases.reserves() else {
            return self.take_hold(case, pays, false, request, caller).await;
        };
        if let Some(claim) = &self.reserve(reserves, &case, request, caller).await? {
            let by_claim = |tx| async move { self.begun_before(&tx, claim.clone()).await };
            return self.0.database.transact("join", by_claim).await;
        }
        let name = case.record().name.clone();
        let outcome = self.take_hold(case, pays, true, request, caller).await;
        let came_to_nothing = matches!(outcome, Ok(None) | Err(Error::Refused(_)));
        // Otherwise T1 is committed, or nobody knows: then the intent says so, and the sweeper obeys it.
        if !came_to_nothing || self.give_up(&name).await {
            return outcome;
        }
        // The intent was gone: somebody else has given up, or T1 was committed after all.
        match store::find::<C>(self.0.database.read(), &name, &Scope::All).await? {
            Some(stands) if pays => {
                let attempt = stands.record().standing.attempt;
                Ok(Some(Begun::Stands(stands, attempt)))
            }
            Some(stands) => Ok(Some(Begun::Held(stands))),
            None => outcome,
        }
    }

    /// T1, one commit: the request record, the units, the case, its event; for a hold also its answer. Nothing is read before it: its
    /// statements carry their conditions, and what stands is looked at only if one of them does not hold.
    async fn take_hold(
        &self,
        case: C::Case,
        pays: bool,
        reserved: bool,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Result<Option<Begun<C::Case>>, Error> {
        let hold = &self.hold(case, pays, reserved, request, caller)?;
        let work = Work::new("hold").then_all(hold.record.clone()).then_all(hold.steps.clone());
        self.0
            .database
            .perform_or(
                work,
                Some(hold.begun()),
                |tx| async move { self.hold_by_what_stands(&tx, hold, request).await },
            )
            .await
    }

    /// What T1 commits for a new case.
    fn hold(
        &self,
        mut case: C::Case,
        pays: bool,
        reserved: bool,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Result<Hold<C::Case>, Error> {
        let Inner { cases, settings, clock, .. } = &*self.0;
        let now = clock.now();
        let record = case.record_mut();
        record.standing = machine::Standing::held(if pays { Mode::AllOrNothing } else { Mode::Hold });
        record.hold_expire_time = now + settings.hold;
        record.next_attempt_time = Some(if pays { now + settings.settle_after } else { record.hold_expire_time });
        let record = case.record();
        let actor = Actor { correlation_id: record.correlation_id.clone(), ..caller.actor() };
        let answer = (!pays).then(|| Answer::Ok(cases.answer(&case)));
        let (name, attempt) = (record.name.as_str(), record.standing.attempt);
        let mut steps = Vec::new();
        if reserved {
            // None there: somebody gave up, and the hold is being released. It comes first, as it does for whoever gives up.
            steps.push(intent::delete(name));
            steps.extend(match (request, &answer) {
                (None, _) => None,
                (Some(request), Some(answer)) => Some(requests::answer(request, answer)),
                (Some(request), None) => Some(requests::wait_for(request, name, attempt)?),
            });
        }
        if !pays {
            steps.push(store::payer::take_turn::<C>(record)?);
        }
        steps.extend(cases.take(&case));
        steps.push(store::insert::<C>(&case, settings.max_open_holds)?);
        steps.push(outbox::appended(cases.event(&case, machine::Fact::Held, &actor)?)?);
        let claim = |request| requests::record(request, Some((name, attempt)), answer.as_ref(), now);
        let record = request.filter(|_| !reserved).map(claim).transpose()?;
        Ok(Hold { case, pays, reserved, record, steps })
    }

    /// Why the hold could not be taken by its statements alone, or the hold, if there is no reason any more.
    async fn hold_by_what_stands(
        &self,
        tx: &Tx,
        hold: &Hold<C::Case>,
        request: Option<&Request>,
    ) -> Result<Option<Begun<C::Case>>, Error> {
        let Hold { case, pays, reserved, record: claim, steps } = hold;
        let record = case.record();
        // It was committed, and nobody has said so.
        if let Some(stands) = store::find::<C>(&**tx, &record.name, &Scope::All).await? {
            let goes_on = *pays && stands.record().version != record.version;
            let begun =
                if goes_on { self.join(tx, &record.name, record.standing.attempt).await? } else { hold.begun() };
            return Ok(Some(begun));
        }
        if *reserved && !intent::is_there(&**tx, &record.name).await? {
            return Err(self.0.cases.reserves().map_or(Error::Lost, |reserves| reserves.unavailable().into()));
        }
        if !self.0.cases.still_stands(tx, case).await? {
            return Ok(None);
        }
        if let Some((request, claim)) = request.zip(claim.as_ref())
            && let Some(begun) = self.claimed(tx, request, claim.clone()).await?
        {
            return Ok(Some(begun));
        }
        if !pays {
            store::payer::lock(tx, &record.payer).await?;
        }
        self.check_open_holds(tx, &record.payer).await?;
        self.0.cases.make_ready(tx, case).await?;
        for step in steps.clone() {
            tx.expect(step).await?;
        }
        Ok(Some(hold.begun()))
    }

    /// What a request id stands for, if it was seen before (rule R).
    async fn claimed(&self, tx: &Tx, request: &Request, record: Step) -> Result<Option<Begun<C::Case>>, Error> {
        let claim = requests::claim(tx, request, record).await?;
        self.begun_before(tx, claim).await
    }

    async fn begun_before(&self, tx: &Tx, claim: Claim) -> Result<Option<Begun<C::Case>>, Error> {
        match claim {
            Claim::New => Ok(None),
            Claim::Answered(answer) => Ok(Some(Begun::Replay(answer))),
            Claim::Open { case, attempt } => self.join(tx, &case, attempt).await.map(Some),
        }
    }

    /// One call more for an attempt that is under way. Counted before it is made, so that what becomes of it is never taken for what
    /// became of the attempt (rule N).
    async fn join(&self, tx: &Tx, name: &str, attempt: u32) -> Result<Begun<C::Case>, Error> {
        let case = self.must_find(tx, name, &Scope::All).await?;
        match machine::join(&case.record().standing, attempt) {
            None => Ok(Begun::Stands(case, attempt)),
            Some(standing) => self.call(tx, case, standing).await,
        }
    }

    /// Commits that payment is about to be called, and when the sweeper asks what came of it.
    async fn call(&self, tx: &Tx, mut case: C::Case, standing: machine::Standing) -> Result<Begun<C::Case>, Error> {
        let now = self.0.clock.now();
        let record = case.record_mut();
        let from = (record.version, record.state());
        let others = (standing.calls > 1).then_some(record.update_time);
        if standing.attempt != record.standing.attempt {
            record.reject_reason = None;
        }
        record.standing = standing;
        record.version += 1;
        record.update_time = now;
        record.next_attempt_time = Some(now + self.0.settings.settle_after);
        record.sweeps = 0;
        tx.expect(store::update::<C>(from, &case)?).await?;
        Ok(Begun::Pays { case, others })
    }

    async fn check_open_holds(&self, tx: &Tx, payer: &str) -> Result<(), Error> {
        let open = store::open_holds::<C>(tx, payer).await?;
        let most = self.0.settings.max_open_holds;
        if open < u64::from(most) {
            return Ok(());
        }
        Err(Refusal::new(reasons::TOO_MANY_HOLDS, format!("{open} of your holds are open, and at most {most} may be"))
            .hint("pay for one, cancel one, or wait until one expires")
            .with("open", open)
            .with("max", most)
            .into())
    }

    /// Opens the next attempt of a hold, or goes on with the open one under its own key (rule A).
    async fn open_attempt(
        &self,
        name: &str,
        scope: &Scope,
        request: Option<&Request>,
    ) -> Result<Begun<C::Case>, Error> {
        self.0
            .database
            .transact("pay", |tx| async move {
                if let Some(request) = request {
                    let record = requests::record(request, Some((name, 0)), None, self.0.clock.now())?;
                    if let Some(begun) = self.claimed(&tx, request, record).await? {
                        return Ok(begun);
                    }
                }
                let case = self.must_find(&tx, name, scope).await?;
                let record = case.record();
                let standing = machine::pay(&record.standing, record.past_expiry(self.0.clock.now()))
                    .filter(|standing| standing.attempt <= self.0.settings.max_attempts)
                    .ok_or_else(|| self.not_payable(&case))?;
                let begun = self.call(&tx, case, standing).await?;
                if let Some(request) = request {
                    tx.expect(requests::wait_for(request, name, standing.attempt)?).await?;
                }
                Ok(begun)
            })
            .await
    }

    fn not_payable(&self, case: &C::Case) -> Refusal {
        let record = case.record();
        let why = if record.state() != State::Pending {
            format!("the {} is {}", C::WORD, record.state().name())
        } else if record.standing.cancel_asked {
            format!("the {} is being cancelled", C::WORD)
        } else if record.past_expiry(self.0.clock.now()) {
            format!("the hold ended at {}", record.hold_expire_time)
        } else {
            format!("{} payment methods were declined, and no more are tried", record.standing.attempt)
        };
        Refusal::new(Reason::ILLEGAL_TRANSITION, format!("{why} and cannot be paid"))
            .with("from", record.state().name())
            .with("to", State::Confirmed.name())
            .with("case", &record.name)
    }

    async fn go_on(&self, begun: Begun<C::Case>, token: Option<&str>, caller: &Caller) -> Reply {
        match (begun, token) {
            (Begun::Replay(answer), _) => answer.into(),
            (Begun::Held(case), _) => Answer::Ok(self.0.cases.answer(&case)).into(),
            (Begun::Pays { case, others }, Some(token)) => self.pay_and_settle(&case, others, token, caller).await,
            // The fingerprint covers the payment method, so a request that waits for a payment has one.
            (Begun::Pays { case, .. }, None) => {
                let attempt = case.record().standing.attempt;
                self.answer(&case, attempt, &PaymentStatus::bare(Outcome::Unknown)).into()
            }
            (Begun::Stands(case, attempt), _) => {
                self.answer(&case, attempt, &PaymentStatus::bare(Outcome::Unknown)).into()
            }
        }
    }

    async fn pay_and_settle(&self, case: &C::Case, others: Option<Timestamp>, token: &str, caller: &Caller) -> Reply {
        let record = case.record();
        let attempt = record.standing.attempt;
        let within = caller.remaining().saturating_sub(ANSWER_MARGIN).min(self.0.settings.payment_timeout);
        kill::BEFORE_PAY.reached();
        let seen = if within.is_zero() {
            PaymentStatus::bare(Outcome::NotSent)
        } else {
            self.0.payments.create(record, &payment_name(&record.name, attempt), token, within).await
        };
        kill::BEFORE_SETTLE.reached();
        let actor = Actor { correlation_id: record.correlation_id.clone(), ..caller.actor() };
        let settled = match self.settle_as_written(case, attempt, &seen, &actor).await {
            Ok(settled) => settled,
            Err(error) => {
                // The money may have moved, so this is no failure of the call: it is a case whose outcome is not known yet, and the
                // sweeper settles it. A caller told to try again would pay twice.
                tracing::error!(
                    case = record.name,
                    error = &error as &dyn std::error::Error,
                    "failed to settle the case; the sweeper will retry"
                );
                let answer = self.answer(case, attempt, &PaymentStatus::bare(Outcome::Unknown));
                return Reply::of(answer, record, attempt, others);
            }
        };
        kill::AFTER_SETTLE.reached();
        let stands = settled.record();
        // Whoever was counted later may have reached payment sooner.
        let others = if stands.standing.calls > record.standing.calls { Some(stands.update_time) } else { others };
        Reply::of(self.answer(&settled, attempt, &seen), record, attempt, others)
    }
}
