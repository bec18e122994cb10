//! The port to the payment provider. Every call carries a key that payment has committed before, and may be repeated.

use std::time::Duration;

use async_trait::async_trait;
use mesh::{Refusal, money::Money, types::PaymentAction};
use uuid::Uuid;

/// The payment method as shown to the payer: enough to recognise it, too little to pay with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// `card`, `wallet`; at most 32 characters.
    pub kind: String,
    /// `visa`; at most 32 characters.
    pub brand: String,
    /// The last four digits; empty if it has none.
    pub last4: String,
}

/// How a call about a charge ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is taken.
    Charged {
        /// What was paid with.
        method: Method,
        /// The payment's id at the provider; at most 128 characters.
        reference: String,
    },
    /// Refused, finally.
    Declined {
        /// The provider's reason; at most 255 characters.
        reason: String,
    },
    /// The payer has to do something first.
    ActionRequired(PaymentAction),
    /// The provider has it and has not decided.
    Processing,
    /// The provider knows no charge of that key.
    NotFound,
    /// The provider rejected the call as invalid, for example an unknown token: the call had no effect.
    Refused(Refusal),
    /// The call surely was not sent, or was refused before any work.
    NotSent,
    /// Unknown.
    Unknown,
}

impl Outcome {
    /// The outcome in a word, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Charged { .. } => "charged",
            Self::Declined { .. } => "declined",
            Self::ActionRequired(_) => "action_required",
            Self::Processing => "processing",
            Self::NotFound => "not_found",
            Self::Refused(_) => "refused",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// How a call for a refund ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money is given back.
    Succeeded,
    /// Refused for good.
    Failed {
        /// The provider's reason; at most 255 characters.
        reason: String,
    },
    /// The provider has not decided, or the outcome is unknown: ask again under the same key.
    Open,
}

impl RefundOutcome {
    /// The outcome in a word, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Open => "open",
        }
    }
}

/// The business case of a call, and how long to wait for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The business case.
    pub correlation_id: &'a str,
    /// How long to wait for the answer.
    pub within: Duration,
}

/// A payment provider. Never called while a transaction is open.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Its name on payments, such as `simulated`.
    fn name(&self) -> &'static str;

    /// When to try again, if a call made now would not be sent.
    fn refuses_now(&self) -> Option<Duration>;

    /// Charges `amount` to the payment method of `token`. `payment` is the key: however often it is called, money is taken once.
    async fn charge(&self, call: Call<'_>, payment: Uuid, amount: Money, token: &str) -> Outcome;

    /// Queries the outcome of a charge. Never [`Outcome::NotSent`] or [`Outcome::Refused`], which are about a call that takes money.
    async fn look(&self, call: Call<'_>, payment: Uuid) -> Outcome;

    /// Refunds `amount` of a charge. `refund` is the key: however often it is called, money is refunded once.
    async fn refund(&self, call: Call<'_>, payment: Uuid, refund: Uuid, amount: Money) -> RefundOutcome;
}
