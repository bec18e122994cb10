//! The bounds of every value, and what two of them must be to one another.

use mesh_foundation::findings::Findings;
use tracing_subscriber::EnvFilter;

use super::{Config, Known, context, metrics};

/// By how much a payment that was never sent outlives the hold that can still be paid by it.
const ABANDON_MARGIN_MS: u64 = 60_000;

/// Finds all that is wrong: pairs of a key and what is wrong with its value.
pub(super) fn check(config: &Config, known: &Known) -> Vec<(String, String)> {
    let mut found = Findings::default();
    top(&mut found, config);
    checkout_and_payment(&mut found, config);
    config.limits.check(&mut found);
    config.client.check(&mut found);
    config.bus.check(&mut found);
    config.auth.check(&mut found);
    config.tls.check(&mut found);
    metrics::check(&mut found, config);
    for (name, settings) in &config.contexts {
        found.unless(known.contexts.contains(&name.as_str()), format!("contexts.{name}"), unknown_context(name, known));
        context::check(&mut found, name, settings);
    }
    found.into_pairs()
}

/// A database that nobody uses, because its context's name is misspelt, would be noticed when the wrong one is full of bookings.
fn unknown_context(name: &str, known: &Known) -> String {
    let likest = known.contexts.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let meant = likest.map_or_else(String::new, |likest| format!("; did you mean `{likest}`?"));
    format!("is no context; there are {}{meant}", known.contexts.join(", "))
}

fn top(found: &mut Findings, config: &Config) {
    found.unless(
        mesh_foundation::clock::zone(&config.time_zone).is_some(),
        "time_zone",
        format!("is `{}`, which is no IANA time zone", config.time_zone),
    );
    found.within("drain_deadline_ms", config.drain_deadline_ms, 100..=600_000);
    found.within("start_deadline_ms", config.start_deadline_ms, 100..=3_600_000);
    if let Err(error) = EnvFilter::try_new(&config.log.filter) {
        found.unless(false, "log.filter", format!("is `{}`: {error}", config.log.filter));
    }
    found.unless(
        !config.auth.built_in || config.listen.ip().is_loopback() || config.auth.allow_non_loopback_issuer,
        "auth.allow_non_loopback_issuer",
        format!(
            "is false, and `listen` is {}: the built-in issuer gives any token to whoever can read its key, so it is trusted on \
             a loopback address only, unless this is set to true",
            config.listen
        ),
    );
    found.within("database.max_connections", config.database.max_connections, 1..=1_000);
}

fn checkout_and_payment(found: &mut Findings, config: &Config) {
    let (checkout, payment) = (&config.checkout, &config.payment);
    found.within("checkout.hold_ms", checkout.hold_ms, 1_000..=86_400_000);
    found.within("checkout.payment_timeout_ms", checkout.payment_timeout_ms, 100..=25_000);
    if let Some(settle_after_ms) = checkout.settle_after_ms {
        found.within("checkout.settle_after_ms", settle_after_ms, checkout.payment_timeout_ms..=3_600_000);
    }
    found.within("checkout.max_open_holds", checkout.max_open_holds, 1..=1_000);
    found.within("checkout.max_attempts", checkout.max_attempts, 1..=60);
    found.within("checkout.sweep_interval_ms", checkout.sweep_interval_ms, 10..=60_000);
    found.within("payment.provider_timeout_ms", payment.provider_timeout_ms, 50..=25_000);
    found.unless(
        payment.provider_timeout_ms < checkout.payment_timeout_ms,
        "payment.provider_timeout_ms",
        format!(
            "is {}; it must be below checkout.payment_timeout_ms ({})",
            payment.provider_timeout_ms, checkout.payment_timeout_ms
        ),
    );
    found.within("payment.recovery_interval_ms", payment.recovery_interval_ms, 10..=60_000);
    let first = payment.provider_timeout_ms.saturating_add(1);
    found.within("payment.give_up_after_ms", payment.give_up_after_ms, first..=3_600_000);
    let last_paid = checkout.hold_ms.saturating_add(ABANDON_MARGIN_MS);
    found.within("payment.abandon_after_ms", payment.abandon_after_ms, last_paid..=604_800_000);
}
