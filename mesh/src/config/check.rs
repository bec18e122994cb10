//! The bounds of every value, and what two of them must be to one another.

use std::{fmt::Display, ops::RangeInclusive};

use tracing_subscriber::EnvFilter;

use super::{Config, bus, context, issuer, metrics, tls};

/// The contexts that can be configured.
const CONTEXTS: [&str; 5] = ["room", "reservation", "payment", "mypage", "provider"];

/// By how much a payment that was never sent outlives the hold that can still be paid by it.
const ABANDON_MARGIN_MS: u64 = 60_000;

/// The longest name of the built-in issuer and of an audience.
const MAX_NAME_BYTES: usize = 512;

/// Finds all that is wrong: pairs of a key and what is wrong with its value.
pub(super) fn check(config: &Config) -> Vec<(String, String)> {
    let mut found = Findings::default();
    found.top(config);
    found.checkout_and_payment(config);
    found.client(config);
    bus::check(&mut found, &config.bus);
    issuer::check(&mut found, &config.auth);
    tls::check(&mut found, &config.tls);
    metrics::check(&mut found, config);
    for (name, settings) in &config.contexts {
        found.unless(CONTEXTS.contains(&name.as_str()), format!("contexts.{name}"), unknown_context(name));
        context::check(&mut found, name, settings);
    }
    found.0
}

/// A database that nobody uses, because its context's name is misspelt, would be noticed when the wrong one is full of bookings.
fn unknown_context(name: &str) -> String {
    let likest = CONTEXTS.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let meant = likest.map_or_else(String::new, |likest| format!("; did you mean `{likest}`?"));
    format!("is no context; there are {}{meant}", CONTEXTS.join(", "))
}

#[derive(Default)]
pub(super) struct Findings(Vec<(String, String)>);

impl Findings {
    pub(super) fn unless(&mut self, good: bool, key: impl Into<String>, problem: impl Into<String>) {
        if !good {
            self.0.push((key.into(), problem.into()));
        }
    }

    pub(super) fn within<T: PartialOrd + Display>(&mut self, key: &str, value: T, bounds: RangeInclusive<T>) {
        let problem = format!("is {value}; it must be {} to {}", bounds.start(), bounds.end());
        self.unless(bounds.contains(&value), key, problem);
    }

    fn top(&mut self, config: &Config) {
        self.unless(
            crate::clock::zone(&config.time_zone).is_some(),
            "time_zone",
            format!("is `{}`, which is no IANA time zone", config.time_zone),
        );
        self.within("drain_deadline_ms", config.drain_deadline_ms, 100..=600_000);
        self.within("start_deadline_ms", config.start_deadline_ms, 100..=3_600_000);
        context::check_public_keys(self, "auth.issuer_public_keys", &config.auth.issuer_public_keys);
        if let Err(error) = EnvFilter::try_new(&config.log.filter) {
            self.unless(false, "log.filter", format!("is `{}`: {error}", config.log.filter));
        }
        // The name of a context's own issuer begins so: a person's issuer of that name could mint contexts. Both stand in every token,
        // and a token has its own bound.
        let is_name = |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.starts_with("contexts/");
        let name = format!("must be a name of 1 to {MAX_NAME_BYTES} bytes that does not begin with `contexts/`");
        self.unless(is_name(&config.auth.issuer), "auth.issuer", &*name);
        self.unless(is_name(&config.auth.audience), "auth.audience", &*name);
        self.unless(
            !config.auth.built_in || config.listen.ip().is_loopback() || config.auth.allow_non_loopback_issuer,
            "auth.allow_non_loopback_issuer",
            format!(
                "is false, and `listen` is {}: the built-in issuer gives any token to whoever can read its key, so it is trusted on \
                 a loopback address only, unless this is set to true",
                config.listen
            ),
        );
        self.within("limits.in_flight", config.limits.in_flight, 1..=100_000);
        self.within("limits.in_flight_per_person", config.limits.in_flight_per_person, 1..=100_000);
        self.within("limits.open_streams_per_person", config.limits.open_streams_per_person, 1..=1_000_000);
        self.within("limits.connections", config.limits.connections, 1..=100_000);
        self.within("limits.open_streams", config.limits.open_streams, 1..=1_000_000);
        self.within("limits.max_request_bytes", config.limits.max_request_bytes, 1_024..=4_194_304);
        self.within("database.max_connections", config.database.max_connections, 1..=1_000);
    }

    fn checkout_and_payment(&mut self, config: &Config) {
        let (checkout, payment) = (&config.checkout, &config.payment);
        self.within("checkout.hold_ms", checkout.hold_ms, 1_000..=86_400_000);
        self.within("checkout.payment_timeout_ms", checkout.payment_timeout_ms, 100..=25_000);
        if let Some(settle_after_ms) = checkout.settle_after_ms {
            self.within("checkout.settle_after_ms", settle_after_ms, checkout.payment_timeout_ms..=3_600_000);
        }
        self.within("checkout.max_open_holds", checkout.max_open_holds, 1..=1_000);
        self.within("checkout.max_attempts", checkout.max_attempts, 1..=60);
        self.within("checkout.sweep_interval_ms", checkout.sweep_interval_ms, 10..=60_000);
        self.within("payment.provider_timeout_ms", payment.provider_timeout_ms, 50..=25_000);
        self.unless(
            payment.provider_timeout_ms < checkout.payment_timeout_ms,
            "payment.provider_timeout_ms",
            format!(
                "is {}; it must be below checkout.payment_timeout_ms ({})",
                payment.provider_timeout_ms, checkout.payment_timeout_ms
            ),
        );
        self.within("payment.recovery_interval_ms", payment.recovery_interval_ms, 10..=60_000);
        let first = payment.provider_timeout_ms.saturating_add(1);
        self.within("payment.give_up_after_ms", payment.give_up_after_ms, first..=3_600_000);
        let last_paid = checkout.hold_ms.saturating_add(ABANDON_MARGIN_MS);
        self.within("payment.abandon_after_ms", payment.abandon_after_ms, last_paid..=604_800_000);
    }

    fn client(&mut self, config: &Config) {
        let client = &config.client;
        self.within("client.timeout_ms", client.timeout_ms, 10..=30_000);
        self.within("client.connect_timeout_ms", client.connect_timeout_ms, 10..=10_000);
        self.within("client.connections", client.connections, 1..=16);
        self.within("client.attempts", client.attempts, 1..=10);
        self.within("client.retry_budget_percent", client.retry_budget_percent, 0..=100);
        self.within("client.retries_per_second", client.retries_per_second, 0..=1_000);
        self.within("client.in_flight", client.in_flight, 1..=10_000);
        self.within("client.breaker.consecutive_failures", client.breaker.consecutive_failures, 1..=1_000);
        self.within("client.breaker.in_flight", client.breaker.in_flight, 1..=client.in_flight);
        self.within("client.breaker.open_ms", client.breaker.open_ms, 10..=600_000);
        self.within("client.breaker.max_open_ms", client.breaker.max_open_ms, client.breaker.open_ms..=600_000);
    }
}
