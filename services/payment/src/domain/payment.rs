//! The payment: applies the decisions of [`machine`](super::machine) to the aggregate. A command returns the changes that have to be
//! committed together with it.

use jiff::Timestamp;
use mesh::{
    Actor,
    money::{Money, MoneyError},
    types::PaymentAction,
};
use uuid::Uuid;

use super::{
    ledger::Movement,
    machine::{self, Heard, OnVoid, Recorded, Standing, State},
    provider::{Method, Outcome, RefundOutcome},
    refund::{Given, Kind, Refund, RefundError, RefundState, reversal_id},
};

/// The parties and the amount. Fixed when the payment is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Who pays: `users/…`.
    pub payer: String,
    /// Who earns it: `users/…`.
    pub payee: String,
    /// How much; above zero.
    pub amount: Money,
    /// From when the payee has earned it; `None` means from the approval.
    pub earn_time: Option<Timestamp>,
}

/// One attempt to pay for one business case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id; its key at the provider.
    pub id: Uuid,
    /// The business case: `reservations/…`.
    pub case: String,
    /// The terms, and the refunded amounts; `None` on a payment that was voided before it was created.
    pub bill: Option<(Bill, Given)>,
    /// The provider that was called; empty if none was.
    pub provider: String,
    /// Its state.
    pub standing: Standing,
    /// When the last call to the provider began; `None` if none can have been sent.
    pub call_time: Option<Timestamp>,
    /// Why it was declined.
    pub decline_reason: Option<String>,
    /// The payment method, and the payment's id at the provider; both from its approval on.
    pub charged: Option<(Method, String)>,
    /// The action that the payer has to take; only while ACTION_REQUIRED.
    pub action: Option<PaymentAction>,
    /// When it was approved.
    pub approve_time: Option<Timestamp>,
    /// When it was created.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
    /// 1 at first, and one more with every published change.
    pub version: i64,
    /// One more with every write, published or not; conditional updates check it.
    pub revision: i64,
    /// The business case's correlation id.
    pub correlation_id: String,
    /// How often the recovery loop has handled it since it last changed.
    pub attempts: u32,
    /// When the recovery loop handles it next; `None` if its outcome is final.
    pub next_attempt_time: Option<Timestamp>,
}

/// A change of a payment that is published as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The payer has to do something first.
    ActionRequired,
    /// The money is taken.
    Approved,
    /// The provider refused.
    Declined,
    /// It was voided.
    Voided,
    /// Money was given back.
    Refunded(Refund),
    /// A refund was refused for good.
    RefundFailed(Refund),
}

/// The changes that are committed together with the payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The events.
    pub fact: Option<Fact>,
    /// The ledger entries.
    pub movement: Option<Movement>,
    /// A refund that begins.
    pub refund: Option<Refund>,
}

impl Change {
    fn told(fact: Fact) -> Self {
        Self { fact: Some(fact), ..Self::default() }
    }
}

/// The books and the provider disagree: a person has to check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The provider's answer contradicts the payment's state.
    #[error("payments/{payment} is {state:?}, and the provider says {heard:?}")]
    Contradiction {
        /// The payment.
        payment: Uuid,
        /// Its state.
        state: State,
        /// What was heard.
        heard: Heard,
    },
    /// Money came for a payment without terms.
    #[error("payments/{0} has no amount")]
    NoBill(Uuid),
    /// The sums of a payment do not add up.
    #[error("the sums of payments/{0} do not add up")]
    Sums(Uuid, #[source] MoneyError),
}

impl Payment {
    /// A payment with its first call, as it is committed before that call is made.
    pub fn begin(id: Uuid, case: String, bill: Bill, provider: &str, correlation_id: String, now: Timestamp) -> Self {
        let given = Given::nothing(bill.amount);
        Self {
            bill: Some((bill, given)),
            provider: provider.to_owned(),
            standing: Standing::FIRST_CALL,
            call_time: Some(now),
            ..Self::tombstone(id, case, correlation_id, now)
        }
    }

    /// A payment that is voided before it was asked for; becomes true with [`Fact::Voided`].
    pub fn tombstone(id: Uuid, case: String, correlation_id: String, now: Timestamp) -> Self {
        Self {
            id,
            case,
            bill: None,
            provider: String::new(),
            standing: Standing::TOMBSTONE,
            call_time: None,
            decline_reason: None,
            charged: None,
            action: None,
            approve_time: None,
            create_time: now,
            update_time: now,
            version: 1,
            revision: 1,
            correlation_id,
            attempts: 0,
            next_attempt_time: None,
        }
    }

    /// Where the payment is.
    pub fn state(&self) -> State {
        self.standing.state
    }

    /// The resource name.
    pub fn name(&self) -> String {
        mesh::fields::name("payments", self.id)
    }

    /// Whether CreatePayment with these terms is about this payment.
    pub fn is_for(&self, case: &str, bill: &Bill) -> bool {
        self.case == case
            && self
                .bill
                .as_ref()
                .is_none_or(|(own, _)| own.payer == bill.payer && own.payee == bill.payee && own.amount == bill.amount)
    }

    /// Records that another call to the provider begins.
    pub fn call_again(&mut self, now: Timestamp) {
        self.standing = self.standing.called_again();
        self.call_time = Some(now);
        self.attempts = 0;
    }

    /// Voids the payment; `None` if it is too late, which is an answer.
    pub fn void(&mut self, now: Timestamp) -> Option<Change> {
        (machine::void(Some(self.standing)) == OnVoid::Void).then(|| {
            self.standing = self.standing.voided();
            self.tell(Fact::Voided, now)
        })
    }

    /// Records the outcome of a call about the charge; `None` if it is nothing new. `lost` says whether a charge that the provider does not
    /// know counts as lost.
    pub fn record(&mut self, outcome: &Outcome, lost: bool, now: Timestamp) -> Result<Option<Change>, Broken> {
        let heard = heard(outcome, lost);
        let recorded = machine::record(self.standing, heard);
        let before = self.standing;
        self.standing = self.standing.after(recorded);
        if self.standing.calls == 0 {
            self.call_time = None;
        }
        match recorded {
            Recorded::Nothing => Ok(None),
            Recorded::Contradiction => Err(Broken::Contradiction { payment: self.id, state: before.state, heard }),
            Recorded::NeverCalled | Recorded::StopAsking => {
                self.attempts = 0;
                Ok(Some(Change::default()))
            }
            Recorded::BookAndReverse => {
                let amount = self.bill.as_ref().ok_or(Broken::NoBill(self.id))?.0.amount;
                let actor = Actor::context(crate::CONTEXT, &self.correlation_id);
                let reversal = Refund::pending(self.id, reversal_id(self.id), Kind::Reversal, amount, actor, now);
                Ok(Some(Change {
                    movement: Some(Movement::ChargedLate { amount }),
                    refund: Some(reversal),
                    fact: None,
                }))
            }
            Recorded::Become(_) => self.become_true(outcome, now).map(Some),
        }
    }

    /// Applies the data of the outcome that led to the state.
    fn become_true(&mut self, outcome: &Outcome, now: Timestamp) -> Result<Change, Broken> {
        match outcome {
            Outcome::Charged { method, reference } => {
                let (bill, _) = self.bill.as_ref().ok_or(Broken::NoBill(self.id))?;
                let movement = Movement::Approved {
                    payee: bill.payee.clone(),
                    amount: bill.amount,
                    earn_time: bill.earn_time.unwrap_or(now),
                };
                self.charged = Some((method.clone(), reference.clone()));
                self.approve_time = Some(now);
                Ok(Change { movement: Some(movement), ..self.tell(Fact::Approved, now) })
            }
            Outcome::ActionRequired(action) => {
                let change = self.tell(Fact::ActionRequired, now);
                self.action = Some(action.clone());
                Ok(change)
            }
            Outcome::Declined { reason } => {
                self.decline_reason = Some(reason.clone());
                Ok(self.tell(Fact::Declined, now))
            }
            Outcome::Processing | Outcome::NotFound | Outcome::Refused(_) | Outcome::NotSent | Outcome::Unknown => {
                Ok(self.tell(Fact::Voided, now))
            }
        }
    }

    /// Requests a refund of `wish`, or of the rest; `actor` is the cause.
    pub fn ask_refund(
        &mut self,
        id: Uuid,
        wish: Option<Money>,
        actor: Actor,
        now: Timestamp,
    ) -> Result<(Refund, Option<Movement>), RefundError> {
        let not_paid = RefundError::NotPaid(self.standing.state);
        if !self.standing.state.is_paid() {
            return Err(not_paid);
        }
        let Some((bill, given)) = self.bill.as_mut() else { return Err(not_paid) };
        let (then, amount, from_payee) = given.ask(bill.amount, wish)?;
        *given = then;
        let movement = (!from_payee.is_zero()).then(|| Movement::RefundRequested {
            payee: bill.payee.clone(),
            amount: from_payee,
            earn_time: bill.earn_time.or(self.approve_time).unwrap_or(now),
        });
        Ok((Refund::pending(self.id, id, Kind::Refund, amount, actor, now), movement))
    }

    /// Asks again for what a refund that failed was to give back. It comes out of what is owed to the payer, and never from the payee:
    /// however often a refund fails and is asked for again, the payee gives it once.
    pub fn retry_refund(
        &mut self,
        failed: &Refund,
        id: Uuid,
        actor: Actor,
        now: Timestamp,
    ) -> Result<(Refund, Option<Movement>), RefundError> {
        if failed.state != RefundState::Failed {
            return Err(RefundError::NotFailed(failed.state));
        }
        if let Some((_, Given { owed, .. })) = self.bill
            && owed.minor() < failed.amount.minor()
        {
            return Err(RefundError::NotOwed { owed });
        }
        self.ask_refund(id, Some(failed.amount), actor, now)
    }

    /// Records the outcome of a refund of this payment; `None` if it has none yet, or had one before. A refusal does not end a reversal,
    /// because no one else knows of the money and could request it again.
    pub fn settle_refund(
        &mut self,
        refund: &mut Refund,
        outcome: &RefundOutcome,
        now: Timestamp,
    ) -> Result<Option<Change>, Broken> {
        if refund.state != RefundState::Pending {
            return Ok(None);
        }
        let amount = refund.amount;
        let sums = |error| Broken::Sums(self.id, error);
        match outcome {
            RefundOutcome::Open => return Ok(None),
            RefundOutcome::Failed { .. } if refund.kind == Kind::Reversal => return Ok(None),
            RefundOutcome::Succeeded => {
                if let (Kind::Refund, Some((bill, given))) = (refund.kind, self.bill.as_mut()) {
                    *given = given.succeeded(amount).map_err(sums)?;
                    self.standing.state = machine::refunded(bill.amount.minor(), given.refunded.minor());
                }
                refund.end(RefundState::Succeeded, None, now);
            }
            RefundOutcome::Failed { reason } => {
                if let Some((_, given)) = self.bill.as_mut() {
                    *given = given.failed(amount).map_err(sums)?;
                }
                refund.end(RefundState::Failed, Some(reason.clone()), now);
            }
        }
        let succeeded = refund.state == RefundState::Succeeded;
        let change = match refund.kind {
            Kind::Refund if succeeded => self.tell(Fact::Refunded(refund.clone()), now),
            Kind::Refund => self.tell(Fact::RefundFailed(refund.clone()), now),
            Kind::Reversal => Change::default(),
        };
        Ok(Some(Change { movement: succeeded.then_some(Movement::GivenBack { amount }), ..change }))
    }

    fn tell(&mut self, fact: Fact, now: Timestamp) -> Change {
        self.version += 1;
        self.update_time = now;
        self.attempts = 0;
        self.action = None;
        Change::told(fact)
    }
}

fn heard(outcome: &Outcome, lost: bool) -> Heard {
    match outcome {
        Outcome::Charged { .. } => Heard::Charged,
        Outcome::Declined { .. } => Heard::Declined,
        Outcome::ActionRequired(_) => Heard::ActionRequired,
        Outcome::Processing => Heard::Processing,
        Outcome::NotFound if lost => Heard::Lost,
        Outcome::NotFound | Outcome::Unknown => Heard::Unknown,
        // A call that the provider rejected as invalid had no effect, like one that was not sent.
        Outcome::NotSent | Outcome::Refused(_) => Heard::NotSent,
    }
}
