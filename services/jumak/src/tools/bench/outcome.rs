//! The outcome of one operation.

use std::time::{Duration, Instant};

use mesh::Refusal;
use tonic::{Code, Status};

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server refused it, with this reason.
    Refused(String),
    /// It failed, or its answer is wrong.
    Failed(String),
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let code = status.code();
        let is_failure = matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded);
        match Refusal::from_status(status) {
            Some(refusal) if is_failure => Self::Failed(refusal.reason.as_str().to_owned()),
            Some(refusal) => Self::Refused(refusal.reason.as_str().to_owned()),
            // Without one of our reasons, the status comes from the transport or a proxy.
            None => Self::Failed(format!("{code:?}")),
        }
    }
}

/// The outcome of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The duration of each of its calls.
    pub steps: Vec<(&'static str, Duration)>,
    /// Whether a reservation was answered CONFIRMED.
    pub confirmed: bool,
    /// Whether it made a booking with an unknown outcome.
    pub unknown: bool,
    /// Why it did not succeed.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// An operation that the server refused.
    #[cfg(test)]
    pub fn refused(reason: &str) -> Self {
        Self { failure: Some(Failure::Refused(reason.to_owned())), ..Self::default() }
    }

    /// An operation that failed.
    pub fn failed(reason: &str) -> Self {
        Self { failure: Some(Failure::Failed(reason.to_owned())), ..Self::default() }
    }

    /// Makes a call as a step of the operation. If it does not succeed, records why and returns `None`.
    pub async fn step<T>(
        &mut self,
        name: &'static str,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Option<T> {
        let begun = Instant::now();
        match call.await {
            Ok(answer) => {
                self.steps.push((name, begun.elapsed()));
                Some(answer.into_inner())
            }
            Err(status) => {
                self.failure = Some(Failure::from(&status));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh::Reason;

    use super::*;

    #[test]
    fn a_refusal_is_not_counted_as_a_failure() {
        let status = |reason| Status::from(Refusal::new(reason, "why"));
        let of = |status: Status| Failure::from(&status);
        assert_eq!(of(status(reservation::reasons::ROOM_UNAVAILABLE)), Failure::Refused("ROOM_UNAVAILABLE".to_owned()));
        assert_eq!(of(status(Reason::OVERLOADED)), Failure::Refused("OVERLOADED".to_owned()));
        assert_eq!(of(status(Reason::DRAINING)), Failure::Failed("DRAINING".to_owned()));
        assert_eq!(of(Status::unavailable("broken pipe")), Failure::Failed("Unavailable".to_owned()));
    }
}
