//! What is configured, as each context takes it.

use mesh::{checkout, config::Config};

pub(super) fn room(config: &Config) -> room::Settings {
    room::Settings { time_zone: config.time_zone.clone() }
}

pub(super) fn reservation(config: &Config) -> reservation::Settings {
    let settings = &config.checkout;
    let checkout = checkout::Settings {
        hold: settings.hold(),
        payment_timeout: settings.payment_timeout(),
        settle_after: settings.settle_after(),
        max_open_holds: settings.max_open_holds.into(),
        max_attempts: settings.max_attempts,
        sweep_interval: settings.sweep_interval(),
    };
    reservation::Settings { checkout }
}

pub(super) fn payment(config: &Config) -> payment::Settings {
    let payment = &config.payment;
    payment::Settings {
        provider_timeout: payment.provider_timeout(),
        recovery_interval: payment.recovery_interval(),
        give_up_after: payment.give_up_after(),
        abandon_after: payment.abandon_after(),
        ..payment::Settings::default()
    }
}
