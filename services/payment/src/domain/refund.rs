//! Refunds, and how much of a payment can still be refunded.

use jiff::Timestamp;
use mesh::{
    Actor,
    money::{Money, MoneyError},
};
use uuid::Uuid;

use super::machine::State;

/// The state of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundState {
    /// The provider was called, or is about to be; the outcome is unknown.
    Pending,
    /// The money is given back. Final.
    Succeeded,
    /// The provider refused for good. Final.
    Failed,
}

impl RefundState {
    /// The state's name, the same in proto and SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The kind of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// It was requested.
    Refund,
    /// A reversal, because a voided payment was charged. Its payment stays unchanged, and no event is published, because no approval was.
    Reversal,
}

impl Kind {
    /// The kind's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A refund of money of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The payment.
    pub payment: Uuid,
    /// The refund's id, unique within its payment; its key at the provider.
    pub id: Uuid,
    /// Why.
    pub kind: Kind,
    /// How much.
    pub amount: Money,
    /// Its state.
    pub state: RefundState,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Its cause, recorded on its events.
    pub actor: Actor,
    /// When it was requested.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
    /// 1 at first, and one more with every change.
    pub version: i64,
    /// How often recovery has handled it.
    pub attempts: u32,
    /// When recovery handles it next; `None` when it is final.
    pub next_attempt_time: Option<Timestamp>,
}

impl Refund {
    pub(super) fn pending(payment: Uuid, id: Uuid, kind: Kind, amount: Money, actor: Actor, now: Timestamp) -> Self {
        Self {
            payment,
            id,
            kind,
            amount,
            state: RefundState::Pending,
            failure_reason: None,
            actor,
            create_time: now,
            update_time: now,
            version: 1,
            attempts: 0,
            next_attempt_time: Some(now),
        }
    }

    pub(super) fn end(&mut self, state: RefundState, failure_reason: Option<String>, now: Timestamp) {
        self.state = state;
        self.failure_reason = failure_reason;
        self.update_time = now;
        self.version += 1;
        self.next_attempt_time = None;
    }
}

/// The id of the reversal of a voided payment's late charge: derived, so that it is reversed once.
pub fn reversal_id(payment: Uuid) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("jumak:payments/{payment}:reversal").as_bytes())
}

/// Why a refund is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Nothing was paid.
    #[error("the payment is {}", .0.name())]
    NotPaid(State),
    /// More than is left.
    #[error("only {left} is left to refund")]
    Exceeds {
        /// The rest: the paid amount less all refunds that did not fail.
        left: Money,
    },
    /// Only what failed is asked for again.
    #[error("the refund is {}, and only one that FAILED is asked for again", .0.name())]
    NotFailed(RefundState),
    /// What failed has been asked for again already.
    #[error("{owed} is still owed, and the rest has been asked for again already")]
    NotOwed {
        /// What is owed to the payer.
        owed: Money,
    },
    /// Another currency than the payment's, or an amount out of range.
    #[error(transparent)]
    Amount(#[from] MoneyError),
}

/// The refunded amounts of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Refunded.
    pub refunded: Money,
    /// Requested, and not settled.
    pub refunding: Money,
    /// Requested and refused by the provider: still owed to the payer, until a refund succeeds.
    pub owed: Money,
}

impl Given {
    /// Nothing yet, in the currency of `amount`.
    pub const fn nothing(amount: Money) -> Self {
        Self { refunded: amount.zero(), refunding: amount.zero(), owed: amount.zero() }
    }

    /// The part of `paid` that can still be refunded.
    pub fn left(&self, paid: Money) -> Result<Money, MoneyError> {
        paid.minus(self.refunded)?.minus(self.refunding)
    }

    /// Requests a refund of `wish`, or of the rest. Returns the new amounts, how much is refunded, and how much of that comes from the
    /// payee: money that is owed to the payer already is not taken from the payee again.
    pub fn ask(&self, paid: Money, wish: Option<Money>) -> Result<(Self, Money, Money), RefundError> {
        let left = self.left(paid)?;
        let amount = wish.unwrap_or(left);
        // Checks the currency first: two amounts of two currencies cannot be compared.
        let fits = match left.minus(amount) {
            Ok(_) => !amount.is_zero(),
            Err(MoneyError::Negative) => false,
            Err(error) => return Err(error.into()),
        };
        if !fits {
            return Err(RefundError::Exceeds { left });
        }
        let from_owed = if amount.minor() < self.owed.minor() { amount } else { self.owed };
        let then = Self { refunding: self.refunding.plus(amount)?, owed: self.owed.minus(from_owed)?, ..*self };
        Ok((then, amount, amount.minus(from_owed)?))
    }

    /// Records that the provider has refunded `amount`.
    pub fn succeeded(&self, amount: Money) -> Result<Self, MoneyError> {
        Ok(Self { refunding: self.refunding.minus(amount)?, refunded: self.refunded.plus(amount)?, ..*self })
    }

    /// Records that the provider has refused to refund `amount`.
    pub fn failed(&self, amount: Money) -> Result<Self, MoneyError> {
        Ok(Self { refunding: self.refunding.minus(amount)?, owed: self.owed.plus(amount)?, ..*self })
    }
}
