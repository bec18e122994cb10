//! Waits for the databases and the bus that a start needs.

use std::time::Duration;

use mesh::background::Backoff;
use tokio::time::{Instant, sleep};

/// Short enough for a quick start, long enough for a readable log.
const PACE: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));

/// No log line is written before this time, because a broker's connection is usually ready a moment after the first check.
const MOMENT: Duration = Duration::from_secs(1);

/// Why an attempt failed.
pub(super) enum Failure {
    /// A later attempt may succeed.
    Retryable(anyhow::Error),
    /// No later attempt can succeed.
    Permanent(anyhow::Error),
}

/// Calls `attempt` until it succeeds or cannot succeed any more, and begins none after `deadline`. Each attempt bounds its own time.
pub(super) async fn until_there<T, Fut: Future<Output = Result<T, Failure>>>(
    what: &str,
    deadline: Instant,
    mut attempt: impl FnMut() -> Fut,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let mut pace = PACE;
    loop {
        let error = match attempt().await {
            Ok(there) => return Ok(there),
            Err(Failure::Permanent(error)) => return Err(error),
            Err(Failure::Retryable(error)) => error,
        };
        let pause = pace.failed();
        if Instant::now() + pause >= deadline {
            let waited = begun.elapsed().as_secs_f64();
            return Err(error.context(format!("{what} was not available within {waited:.1} s (start_deadline_ms)")));
        }
        if begun.elapsed() > MOMENT {
            tracing::warn!("{what} is not available yet, will retry: {error:#}");
        }
        sleep(pause).await;
    }
}
