//! The payment context: how long its provider is waited for.

use std::time::Duration;

use serde::Deserialize;

/// The payment context and its provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentConfig {
    /// How long the provider is waited for, in milliseconds; 50 to 25,000, and below `checkout.payment_timeout_ms`, or its answer
    /// would come when nobody listens any more.
    pub provider_timeout_ms: u64,
    /// How often the recovery loop looks for payments and refunds whose outcome is open, in milliseconds; 10 to 60,000.
    pub recovery_interval_ms: u64,
    /// How long the recovery loop goes on asking the provider about a call it does not know of before it takes that call for lost, in
    /// milliseconds; above `provider_timeout_ms`, up to 3,600,000.
    pub give_up_after_ms: u64,
    /// After how long a payment is voided whose call was never sent and is not made again, in milliseconds; a minute above
    /// `checkout.hold_ms` at least, or a hold would live longer than the payment that it can still be paid by, up to 604,800,000.
    pub abandon_after_ms: u64,
}

impl Default for PaymentConfig {
    fn default() -> Self {
        Self {
            provider_timeout_ms: 3_000,
            recovery_interval_ms: 1_000,
            give_up_after_ms: 15_000,
            abandon_after_ms: 3_600_000,
        }
    }
}

impl PaymentConfig {
    /// How long the provider is waited for.
    pub const fn provider_timeout(&self) -> Duration {
        Duration::from_millis(self.provider_timeout_ms)
    }

    /// How often the recovery loop looks.
    pub const fn recovery_interval(&self) -> Duration {
        Duration::from_millis(self.recovery_interval_ms)
    }

    /// When a call that the provider does not know of is taken for lost.
    pub const fn give_up_after(&self) -> Duration {
        Duration::from_millis(self.give_up_after_ms)
    }

    /// When a payment that was never sent is voided.
    pub const fn abandon_after(&self) -> Duration {
        Duration::from_millis(self.abandon_after_ms)
    }
}
