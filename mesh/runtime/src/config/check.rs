//! The bounds of every value, and what two of them must be to one another.

use mesh_foundation::findings::Findings;
use tracing_subscriber::EnvFilter;

use super::{Config, Known, context, metrics};

/// Finds all that is wrong: pairs of a key and what is wrong with its value.
pub(super) fn check(config: &Config, known: &Known) -> Vec<(String, String)> {
    let mut found = Findings::default();
    top(&mut found, config);
    config.checkout.check(&mut found);
    config.limits.check(&mut found);
    config.client.check(&mut found);
    config.bus.check(&mut found);
    config.auth.check(&mut found);
    config.tls.check(&mut found);
    metrics::check(&mut found, config);
    config.sections.check(config, &mut found);
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
