//! Compares expected values with actual ones.

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use anyhow::{bail, ensure};
use mesh::{Reason, Refusal};
use tokio::time::{Instant, sleep};
use tonic::{Response, Status};

/// How long an effect that follows by event may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two checks.
const LOOK: Duration = Duration::from_millis(25);

/// Fails unless `seen` equals `expected`; the error names `what`.
pub fn equal<E: Debug, S: Debug + PartialEq<E>>(what: &str, expected: E, seen: S) -> anyhow::Result<()> {
    ensure!(seen == expected, "{what}: expected {expected:?}, saw {seen:?}");
    Ok(())
}

/// Fails unless the call was refused with the reason `expected`.
pub fn refused<T: Debug>(what: &str, expected: Reason, answer: Result<Response<T>, Status>) -> anyhow::Result<Refusal> {
    let expected_text = expected.as_str();
    match answer {
        Ok(response) => bail!("{what}: expected {expected_text}, saw {:?}", response.into_inner()),
        Err(status) => match Refusal::from_status(&status) {
            Some(refusal) if refusal.reason == expected => Ok(refusal),
            Some(refusal) => bail!("{what}: expected {expected_text}, saw {} ({refusal})", refusal.reason.as_str()),
            None => bail!("{what}: expected {expected_text}, saw {status}"),
        },
    }
}

/// The result of one check.
pub enum Check<T> {
    /// The expected value.
    There(T),
    /// Another value so far.
    NotYet(String),
}

impl<T> Check<T> {
    /// `value` if `is_there`, otherwise the text of `instead`.
    pub fn when(is_there: bool, value: T, instead: impl Display) -> Self {
        if is_there { Self::There(value) } else { Self::NotYet(instead.to_string()) }
    }
}

/// Checks again and again until the expected value is there, for at most `PATIENCE`.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<Check<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await? {
            Check::There(value) => return Ok(value),
            Check::NotYet(seen) if Instant::now() >= deadline => {
                bail!("expected {what} within {} s, saw {seen}", PATIENCE.as_secs())
            }
            Check::NotYet(_) => sleep(LOOK).await,
        }
    }
}
