//! The test tokens: each is a script that a charge follows, so that a test can choose every way in which a provider answers or does not.

use std::time::Duration;

/// The longest wait that `tok_slow_<ms>` takes, in milliseconds.
pub const MAX_SLOW_MS: u32 = 60_000;

/// Every token, with its description.
pub const TOKENS: [&str; 11] = [
    "tok_approve",
    "tok_decline_insufficient_funds",
    "tok_decline_expired",
    "tok_action_required",
    "tok_slow_<ms>",
    "tok_error",
    "tok_timeout_then_approved",
    "tok_timeout_then_declined",
    "tok_refund_declined",
    "tok_refund_timeout_then_done",
    "tok_approved_after_void",
];

/// The outcome of a charge when it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Plan {
    /// The money is taken.
    Approve,
    /// Refused: there is not enough money.
    DeclineInsufficientFunds,
    /// Refused: the card has expired.
    DeclineExpired,
    /// The payer has to approve it first.
    RequireAction,
}

impl Plan {
    /// The plan's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The outcome of a charge's refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundPlan {
    /// Carried out at once.
    Done,
    /// Refused for good.
    Decline,
    /// The caller gets no answer, and the refund is carried out later.
    DoneUnanswered,
}

impl RefundPlan {
    /// The plan's name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// When a charge is carried out, and whether its caller is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After this long, and then the caller is answered.
    Answered(Duration),
    /// Later, and the caller is not answered.
    Unanswered,
    /// The call itself arrives much later: until then the charge is unknown, and the caller is not answered.
    Lost,
}

/// The script of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What becomes of it.
    pub plan: Plan,
    /// When, and whether its caller is answered.
    pub pace: Pace,
    /// What becomes of its refunds.
    pub refunds: RefundPlan,
}

/// The meaning of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The provider fails and keeps nothing.
    Fails,
    /// A charge is made and follows the script.
    Charges(Script),
}

impl Token {
    /// The meaning of `token`; `None` if it is unknown.
    pub fn parse(token: &str) -> Option<Self> {
        let at_once = Pace::Answered(Duration::ZERO);
        let script = |plan, pace| Some(Self::Charges(Script { plan, pace, refunds: RefundPlan::Done }));
        let refunds = |refunds| Some(Self::Charges(Script { plan: Plan::Approve, pace: at_once, refunds }));
        match token {
            "tok_approve" => script(Plan::Approve, at_once),
            "tok_decline_insufficient_funds" => script(Plan::DeclineInsufficientFunds, at_once),
            "tok_decline_expired" => script(Plan::DeclineExpired, at_once),
            "tok_action_required" => script(Plan::RequireAction, at_once),
            "tok_error" => Some(Self::Fails),
            "tok_timeout_then_approved" => script(Plan::Approve, Pace::Unanswered),
            "tok_timeout_then_declined" => script(Plan::DeclineInsufficientFunds, Pace::Unanswered),
            "tok_refund_declined" => refunds(RefundPlan::Decline),
            "tok_refund_timeout_then_done" => refunds(RefundPlan::DoneUnanswered),
            "tok_approved_after_void" => script(Plan::Approve, Pace::Lost),
            _ => {
                let ms = token.strip_prefix("tok_slow_")?;
                let ms: u32 = if ms.bytes().all(|b| b.is_ascii_digit()) { ms.parse().ok()? } else { return None };
                let pace = Pace::Answered(Duration::from_millis(ms.into()));
                if ms <= MAX_SLOW_MS { script(Plan::Approve, pace) } else { None }
            }
        }
    }
}
