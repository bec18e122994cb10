//! Payment's section of the configuration: the bounds of its values.

use std::time::Duration;

use mesh::config::{Config, Findings, Section};

use crate::{CONTEXT, Settings};

/// By how much a payment that was never sent outlives the hold that can still be paid by it.
const ABANDON_MARGIN: Duration = Duration::from_secs(60);

impl Section for Settings {
    const NAME: &'static str = CONTEXT;

    fn check(&self, config: &Config, found: &mut Findings) {
        let ms = |time: Duration| time.as_millis();
        let (provider_timeout, payment_timeout) = (ms(self.provider_timeout), ms(config.checkout.payment_timeout()));
        found.within("payment.provider_timeout_ms", provider_timeout, 50..=25_000);
        found.unless(
            provider_timeout < payment_timeout,
            "payment.provider_timeout_ms",
            format!("is {provider_timeout}; it must be below checkout.payment_timeout_ms ({payment_timeout})"),
        );
        found.within("payment.recovery_interval_ms", ms(self.recovery_interval), 10..=60_000);
        found.within("payment.give_up_after_ms", ms(self.give_up_after), provider_timeout + 1..=3_600_000);
        let last_paid = ms(config.checkout.hold()) + ms(ABANDON_MARGIN);
        found.within("payment.abandon_after_ms", ms(self.abandon_after), last_paid..=604_800_000);
    }
}
