//! When to ask the provider next. Clocks decide only *when to ask*, never what is true, with one safe exception: if the provider does
//! not know a call for long enough, the call counts as lost and its payment is voided; if the call arrives nevertheless, the charge is
//! reversed.

use std::time::Duration;

use jiff::Timestamp;
use mesh::config::millis;
use serde::Deserialize;

use super::{
    machine::State,
    payment::Payment,
    refund::{Refund, RefundState},
};

/// The longest pause between two queries about a pending payment or refund: its case waits for the answer.
const MAX_PAUSE: Duration = Duration::from_secs(20);
/// The same while a payer is on the provider's page and expects to see the booking afterwards.
const MAX_ACTION_PAUSE: Duration = Duration::from_secs(5);
/// The same for a voided payment, for which no caller waits. A late charge is found after at most twice its delay.
const MAX_WATCH_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Payment's time limits, most of which an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long the provider is waited for, in milliseconds; 50 to 25,000, and below `checkout.payment_timeout_ms`, or its answer would
    /// come when nobody listens any more.
    #[serde(rename = "provider_timeout_ms", deserialize_with = "millis")]
    pub provider_timeout: Duration,
    /// How often the recovery loop looks for payments and refunds whose outcome is open, and the first pause between two queries about the
    /// same one, in milliseconds; 10 to 60,000.
    #[serde(rename = "recovery_interval_ms", deserialize_with = "millis")]
    pub recovery_interval: Duration,
    /// How long after its last call began a payment that the provider does not know counts as lost, and is voided, in milliseconds; above
    /// `provider_timeout_ms`, up to 3,600,000.
    #[serde(rename = "give_up_after_ms", deserialize_with = "millis")]
    pub give_up_after: Duration,
    /// After how long a payment is voided whose call was never sent and is not made again, in milliseconds; a minute above
    /// `checkout.hold_ms` at least, or a hold would live longer than the payment that it can still be paid by, up to 604,800,000.
    #[serde(rename = "abandon_after_ms", deserialize_with = "millis")]
    pub abandon_after: Duration,
    /// How long the provider is asked about a voided payment that it may still charge, with pauses that double up to a day. Not to be
    /// configured.
    #[serde(skip)]
    pub void_watch: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider_timeout: Duration::from_secs(3),
            recovery_interval: Duration::from_secs(1),
            give_up_after: Duration::from_secs(15),
            abandon_after: Duration::from_secs(60 * 60),
            void_watch: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl Settings {
    /// How long a caller has to call the provider before the recovery loop asks too.
    pub fn patience(&self) -> Duration {
        self.provider_timeout + self.recovery_interval
    }

    /// When the recovery loop handles a payment next; `None` if its outcome is final.
    pub fn next_look(&self, payment: &Payment, now: Timestamp) -> Option<Timestamp> {
        match payment.state() {
            State::Pending if payment.standing.calls == 0 => Some(now + self.abandon_after),
            State::Pending if payment.attempts == 0 => Some(now + self.patience()),
            State::Pending => {
                let next = now + self.doubled(payment.attempts - 1, MAX_PAUSE);
                let lost = payment.call_time.map(|called| called + self.give_up_after);
                Some(lost.filter(|lost| *lost > now).map_or(next, |lost| next.min(lost)))
            }
            State::ActionRequired => Some(now + self.doubled(payment.attempts, MAX_ACTION_PAUSE)),
            State::Voided if payment.standing.calls > 0 => {
                let next = now + self.doubled(payment.attempts, MAX_WATCH_PAUSE);
                (now < payment.update_time + self.void_watch).then_some(next)
            }
            State::Voided | State::Approved | State::Declined | State::PartlyRefunded | State::Refunded => None,
        }
    }

    /// When the recovery loop handles a refund next; `None` if it is final.
    pub fn next_refund(&self, refund: &Refund, now: Timestamp) -> Option<Timestamp> {
        (refund.state == RefundState::Pending).then(|| now + self.doubled(refund.attempts, MAX_PAUSE))
    }

    /// Whether a payment that the provider did not know at `asked` counts as lost.
    pub fn is_lost(&self, payment: &Payment, asked: Timestamp) -> bool {
        payment.call_time.is_some_and(|called| asked >= called + self.give_up_after)
    }

    fn doubled(&self, times: u32, max: Duration) -> Duration {
        self.recovery_interval.saturating_mul(1 << times.min(24)).min(max)
    }
}
