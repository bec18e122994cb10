//! The port to whoever holds the cards. Every call carries a key that payment has committed before, and may be repeated.

use std::time::Duration;

use async_trait::async_trait;
use mesh::{Refusal, money::Money, types::PaymentAction};
use uuid::Uuid;

/// What was paid with: enough to recognise, too little to pay with.
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
        /// Why, in the provider's word; at most 255 characters.
        reason: String,
    },
    /// The payer has to do something first.
    ActionRequired(PaymentAction),
    /// The provider has it and has not decided.
    Processing,
    /// The provider knows no charge of that key.
    NotFound,
    /// The provider would not read this call, such as one with a token that it does not know: the call had no effect.
    Refused(Refusal),
    /// The call surely was not sent, or was turned away before any work.
    NotSent,
    /// Nobody knows.
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
        /// Why, in the provider's word; at most 255 characters.
        reason: String,
    },
    /// The provider has it and has not decided, or nobody knows: ask again under the same key.
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

/// For which business case a call is made, and how long its answer is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The business case.
    pub correlation_id: &'a str,
    /// How long the answer is waited for.
    pub within: Duration,
}

/// A payment provider. Never called while a transaction is open.
#[async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Its name on payments, such as `simulated`.
    fn name(&self) -> &'static str;

    /// When trying again makes sense, if a call made now would not even be sent.
    fn refuses_now(&self) -> Option<Duration>;

    /// Takes `amount` from what `token` stands for. `payment` is the key: however often it is called, money is taken once.
    async fn charge(&self, call: Call<'_>, payment: Uuid, amount: Money, token: &str) -> Outcome;

    /// Asks what became of a charge. Never [`Outcome::NotSent`] or [`Outcome::Refused`], which speak of a call that takes money.
    async fn look(&self, call: Call<'_>, payment: Uuid) -> Outcome;

    /// Gives `amount` of a charge back. `refund` is the key: however often it is called, money is given back once.
    async fn refund(&self, call: Call<'_>, payment: Uuid, refund: Uuid, amount: Money) -> RefundOutcome;
}
