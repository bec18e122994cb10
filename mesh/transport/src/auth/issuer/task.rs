//! The one task that fetches an issuer's keys.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use jsonwebtoken::get_current_timestamp;
use mesh_foundation::{
    background::{Background, Backoff, Phase},
    telemetry::metrics,
};
use opentelemetry::KeyValue;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Issuer, KeySet, source::Source};

/// The backoff between two attempts at an issuer that cannot be asked; never shorter than the rest between any two fetches.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Starts the task, unless the keys are in files.
pub(super) fn start(issuer: Arc<Issuer>, background: &Background) {
    if issuer.source.is_some() {
        background.run(Phase::Consumers, format!("keys of {}", issuer.name), |stop| run(issuer, stop));
    }
}

async fn run(issuer: Arc<Issuer>, stop: CancellationToken) {
    let Some(source) = &issuer.source else { return };
    let mut waits = Backoff::new(FIRST_WAIT, MAX_WAIT);
    loop {
        let begun = Instant::now();
        let asked = get_current_timestamp();
        issuer.state.send_modify(|state| state.fetching = true);
        let fetched = tokio::select! {
            () = stop.cancelled() => return,
            fetched = fetch(&issuer, source) => fetched,
        };
        let good = fetched.is_some();
        let rested = begun + issuer.timing.rest;
        issuer.state.send_modify(|state| {
            state.keys = fetched.or(state.keys.take());
            state.fetches += 1;
            state.fetching = false;
            state.failing = !good;
            state.rested = rested;
            if good {
                state.answered = Some(asked);
            }
        });
        let next = if good {
            waits.succeeded();
            // A tenth more or less, so that replicas that were started together do not always ask together.
            Instant::now() + issuer.timing.refresh.mul_f64(0.9 + rand::random::<f64>() / 5.0)
        } else {
            Instant::now() + waits.failed()
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
            () = wanted(&issuer, rested) => {}
        }
    }
}

/// Resolves when a caller has asked for an unknown key and the rest after the last fetch is over.
async fn wanted(issuer: &Issuer, rested: Instant) {
    issuer.wanted.notified().await;
    sleep_until(rested).await;
}

/// The keys, if the fetch succeeded.
async fn fetch(issuer: &Issuer, source: &Source) -> Option<Arc<KeySet>> {
    let fetched = timeout(issuer.timing.timeout, source.keys()).await;
    let name = &*issuer.name;
    let known = issuer.state.borrow().clone();
    let keys = match fetched {
        Ok(Ok(keys)) => Some(keys),
        // Once for an outage, and not for each attempt.
        _ if known.failing => None,
        Ok(Err(error)) => {
            let error = &error as &dyn StdError;
            tracing::warn!(
                issuer = name,
                error,
                known = known.keys.is_some(),
                "failed to fetch an issuer's keys; will retry"
            );
            None
        }
        Err(_) => {
            tracing::warn!(
                issuer = name,
                known = known.keys.is_some(),
                "fetching an issuer's keys timed out; will retry"
            );
            None
        }
    };
    let outcome = if keys.is_some() { "ok" } else { "failed" };
    metrics().key_fetches.add(1, &[KeyValue::new("issuer", issuer.name.clone()), KeyValue::new("outcome", outcome)]);
    let keys = keys?;
    match known.keys {
        // The same again, so that nothing that was verified with them has to be verified anew.
        Some(known) if known.is_same(&keys) => Some(known),
        _ => {
            tracing::info!(issuer = name, keys = keys.len(), "an issuer's keys are in use");
            Some(Arc::new(keys))
        }
    }
}
