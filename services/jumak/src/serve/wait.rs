//! Waiting for what a start needs and is not there yet.

use std::time::Duration;

use mesh::background::Backoff;
use tokio::time::{Instant, sleep};

/// Often enough that a start is quick, seldom enough that a log can be read.
const PACE: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));

/// A broker is asked before the connection to it is made: what is there a moment later is not worth a line.
const MOMENT: Duration = Duration::from_secs(1);

/// Why something could not be had.
pub(super) enum Trouble {
    /// It may come.
    NotYet(anyhow::Error),
    /// It will not, however long one waits.
    Never(anyhow::Error),
}

/// Tries until it works or there is no more hope, and begins no try after `deadline`. A try bounds itself.
pub(super) async fn until_there<T, Fut: Future<Output = Result<T, Trouble>>>(
    what: &str,
    deadline: Instant,
    mut attempt: impl FnMut() -> Fut,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let mut pace = PACE;
    loop {
        let error = match attempt().await {
            Ok(there) => return Ok(there),
            Err(Trouble::Never(error)) => return Err(error),
            Err(Trouble::NotYet(error)) => error,
        };
        let pause = pace.failed();
        if Instant::now() + pause >= deadline {
            let waited = begun.elapsed().as_secs_f64();
            return Err(error.context(format!("{what} was not available within {waited:.1} s (start_deadline_ms)")));
        }
        if begun.elapsed() > MOMENT {
            tracing::warn!("waiting for {what}, which is not available yet: {error:#}");
        }
        sleep(pause).await;
    }
}
