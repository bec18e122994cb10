//! The lifecycle: how long holds and payments may take.

use std::time::Duration;

use mesh_foundation::findings::Findings;
use serde::Deserialize;

use crate::checkout::Settings;

/// Hold, pay, confirm; or let go.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckoutConfig {
    /// How long units are held for a guest who has not paid, in milliseconds; 1,000 to 86,400,000.
    pub hold_ms: u64,
    /// How long payment is waited for, in milliseconds; 100 to 25,000.
    pub payment_timeout_ms: u64,
    /// When the sweeper begins to ask about a case whose payment did not answer, in milliseconds from when that payment began; from
    /// `payment_timeout_ms` to 3,600,000. Unset, two seconds after that timeout.
    pub settle_after_ms: Option<u64>,
    /// Unpaid holds that one guest may have; 1 to 1,000.
    pub max_open_holds: u32,
    /// Payments that one hold tries; 1 to 60.
    pub max_attempts: u32,
    /// How often the sweeper looks, in milliseconds; 10 to 60,000.
    pub sweep_interval_ms: u64,
    /// How long another context may take to hold units, in milliseconds; 100 to 10,000.
    pub reserve_timeout_ms: u64,
    /// How long a cancellation waits for those who may have begun, in milliseconds; 0 to 10,000.
    pub cancel_wait_ms: u64,
}

impl Default for CheckoutConfig {
    fn default() -> Self {
        Self {
            hold_ms: 600_000,
            payment_timeout_ms: 5_000,
            settle_after_ms: None,
            max_open_holds: 10,
            max_attempts: 10,
            sweep_interval_ms: 1_000,
            reserve_timeout_ms: 2_000,
            cancel_wait_ms: 2_000,
        }
    }
}

/// A payment that has just timed out may still be on its way back; asking at once would only find it pending.
const SETTLE_GRACE_MS: u64 = 2_000;

impl CheckoutConfig {
    /// How long units are held.
    pub const fn hold(&self) -> Duration {
        Duration::from_millis(self.hold_ms)
    }

    /// How long payment is waited for.
    pub const fn payment_timeout(&self) -> Duration {
        Duration::from_millis(self.payment_timeout_ms)
    }

    /// When the sweeper begins to ask about a case.
    pub fn settle_after(&self) -> Duration {
        Duration::from_millis(self.settle_after_ms.unwrap_or(self.payment_timeout_ms + SETTLE_GRACE_MS))
    }

    /// How often the sweeper looks.
    pub const fn sweep_interval(&self) -> Duration {
        Duration::from_millis(self.sweep_interval_ms)
    }

    /// How long another context may take to hold units.
    pub const fn reserve_timeout(&self) -> Duration {
        Duration::from_millis(self.reserve_timeout_ms)
    }

    /// How long a cancellation waits for those who may have begun.
    pub const fn cancel_wait(&self) -> Duration {
        Duration::from_millis(self.cancel_wait_ms)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        found.within("checkout.hold_ms", self.hold_ms, 1_000..=86_400_000);
        found.within("checkout.payment_timeout_ms", self.payment_timeout_ms, 100..=25_000);
        if let Some(settle_after_ms) = self.settle_after_ms {
            found.within("checkout.settle_after_ms", settle_after_ms, self.payment_timeout_ms..=3_600_000);
        }
        found.within("checkout.max_open_holds", self.max_open_holds, 1..=1_000);
        found.within("checkout.max_attempts", self.max_attempts, 1..=60);
        found.within("checkout.sweep_interval_ms", self.sweep_interval_ms, 10..=60_000);
        found.within("checkout.reserve_timeout_ms", self.reserve_timeout_ms, 100..=10_000);
        found.within("checkout.cancel_wait_ms", self.cancel_wait_ms, 0..=10_000);
    }

    /// The same as a checkout takes it.
    pub fn settings(&self) -> Settings {
        Settings {
            hold: self.hold(),
            payment_timeout: self.payment_timeout(),
            settle_after: self.settle_after(),
            max_open_holds: self.max_open_holds,
            max_attempts: self.max_attempts,
            sweep_interval: self.sweep_interval(),
            reserve_timeout: self.reserve_timeout(),
            cancel_wait: self.cancel_wait(),
        }
    }
}
