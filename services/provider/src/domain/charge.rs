//! A charge, its refunds, and the money that they move.

use std::time::Duration;

use jiff::Timestamp;
use mesh::money::{Money, MoneyError};

use super::token::{Plan, RefundPlan, Script};

/// Why a charge is declined whose payer did not approve it in time.
const ACTION_EXPIRED: &str = "ACTION_EXPIRED";
/// Why a charge is declined whose payer refused it.
const ACTION_REFUSED: &str = "ACTION_REFUSED";
/// Why a refund fails.
const REFUND_DECLINED: &str = "REFUND_DECLINED";

/// Where a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Its call has not arrived yet: the charge is not visible.
    Underway,
    /// Accepted, and not decided.
    Processing,
    /// The payer has to approve it.
    ActionRequired,
    /// The money is taken.
    Charged,
    /// Refused. Final.
    Declined,
    /// A part of the money is given back.
    PartlyRefunded,
    /// All of the money is given back.
    Refunded,
}

impl State {
    /// The state's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The direction of a movement of money. Each movement adds a row that never changes, which the audit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Moved {
    /// From the payer.
    Taken,
    /// Back to the payer.
    GivenBack,
}

impl Moved {
    /// The direction's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A charge, or the attempt of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id, chosen by the caller.
    pub id: String,
    /// How much.
    pub amount: Money,
    /// What is given back or is being given back.
    pub committed: Money,
    /// What is given back.
    pub refunded: Money,
    /// Where it stands.
    pub state: State,
    /// Its plan.
    pub plan: Plan,
    /// The plan of its refunds.
    pub refund_plan: RefundPlan,
    /// Why it was declined; empty otherwise.
    pub decline_reason: String,
    /// When it is carried out, or, while the payer has to approve it, when that is over; `None` when there is nothing left to do.
    pub due_time: Option<Timestamp>,
    /// When it reached the provider.
    pub create_time: Timestamp,
    /// One more with every write; conditional updates check it.
    pub revision: i64,
}

impl Charge {
    /// A charge as it is committed before it is carried out.
    pub fn arrive(id: String, amount: Money, script: Script, state: State, due: Timestamp, now: Timestamp) -> Self {
        Self {
            id,
            amount,
            committed: amount.zero(),
            refunded: amount.zero(),
            state,
            plan: script.plan,
            refund_plan: script.refunds,
            decline_reason: String::new(),
            due_time: Some(due),
            create_time: now,
            revision: 1,
        }
    }

    /// Whether it is visible.
    pub fn is_known(&self) -> bool {
        self.state != State::Underway
    }

    /// Carries out what is due by now; returns whether the charge has changed, and whether money moved. A payer who has to approve it gets
    /// `action_time`.
    pub fn carry_out(&mut self, now: Timestamp, action_time: Duration) -> (bool, Option<Moved>) {
        if self.due_time.is_none_or(|due| due > now) {
            return (false, None);
        }
        self.due_time = None;
        match (self.state, self.plan) {
            (State::ActionRequired, _) => self.decline(ACTION_EXPIRED),
            (State::Underway | State::Processing, plan) => {
                if self.state == State::Underway {
                    self.create_time = now;
                }
                match plan {
                    Plan::Approve => {
                        self.state = State::Charged;
                        return (true, Some(Moved::Taken));
                    }
                    Plan::DeclineInsufficientFunds => self.decline("INSUFFICIENT_FUNDS"),
                    Plan::DeclineExpired => self.decline("CARD_EXPIRED"),
                    Plan::RequireAction => {
                        self.state = State::ActionRequired;
                        self.due_time = Some(now + action_time);
                    }
                }
            }
            (State::Charged | State::Declined | State::PartlyRefunded | State::Refunded, _) => {}
        }
        (true, None)
    }

    /// The payer approves or refuses; returns the same as [`carry_out`](Self::carry_out). None if the charge does not wait for that.
    pub fn complete_action(&mut self, approve: bool) -> (bool, Option<Moved>) {
        if self.state != State::ActionRequired {
            return (false, None);
        }
        self.due_time = None;
        if approve {
            self.state = State::Charged;
            (true, Some(Moved::Taken))
        } else {
            self.decline(ACTION_REFUSED);
            (true, None)
        }
    }

    fn decline(&mut self, reason: &str) {
        self.state = State::Declined;
        reason.clone_into(&mut self.decline_reason);
    }

    /// Begins a refund of `amount`, due at `due`.
    pub fn refund(&mut self, id: String, amount: Money, due: Timestamp, now: Timestamp) -> Result<Refund, RefundError> {
        if !matches!(self.state, State::Charged | State::PartlyRefunded | State::Refunded) {
            return Err(RefundError::NotCharged(self.state));
        }
        let left = self.amount.minus(self.committed)?;
        match left.minus(amount) {
            Ok(_) => {}
            Err(MoneyError::Negative) => return Err(RefundError::Exceeds { left }),
            Err(error) => return Err(error.into()),
        }
        self.committed = self.committed.plus(amount)?;
        Ok(Refund {
            charge: self.id.clone(),
            id,
            amount,
            state: RefundState::Pending,
            failure_reason: String::new(),
            due_time: Some(due),
            create_time: now,
        })
    }

    /// Carries out what is due by now of a refund of this charge; returns whether it has changed, and whether money moved.
    pub fn carry_out_refund(
        &mut self,
        refund: &mut Refund,
        now: Timestamp,
    ) -> Result<(bool, Option<Moved>), MoneyError> {
        if refund.due_time.is_none_or(|due| due > now) {
            return Ok((false, None));
        }
        refund.due_time = None;
        if self.refund_plan == RefundPlan::Decline {
            self.committed = self.committed.minus(refund.amount)?;
            refund.state = RefundState::Failed;
            REFUND_DECLINED.clone_into(&mut refund.failure_reason);
            return Ok((true, None));
        }
        self.refunded = self.refunded.plus(refund.amount)?;
        self.state = if self.refunded == self.amount { State::Refunded } else { State::PartlyRefunded };
        refund.state = RefundState::Succeeded;
        Ok((true, Some(Moved::GivenBack)))
    }
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundState {
    /// Accepted, and not decided.
    Pending,
    /// The money is given back. Final.
    Succeeded,
    /// Refused for good. Final.
    Failed,
}

impl RefundState {
    /// The state's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A refund, or the attempt of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The charge.
    pub charge: String,
    /// Its id, chosen by the caller; unique within its charge.
    pub id: String,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why it failed; empty otherwise.
    pub failure_reason: String,
    /// When it is carried out; `None` when it is final.
    pub due_time: Option<Timestamp>,
    /// When it reached the provider.
    pub create_time: Timestamp,
}

/// Why a refund is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// No money was taken.
    #[error("the charge is {}", .0.name())]
    NotCharged(State),
    /// More than is left.
    #[error("only {left} is left to refund")]
    Exceeds {
        /// What is left.
        left: Money,
    },
    /// Another currency, or an amount that cannot be counted.
    #[error(transparent)]
    Amount(#[from] MoneyError),
}
