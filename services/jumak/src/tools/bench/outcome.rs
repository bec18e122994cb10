//! What became of one operation.

use std::time::{Duration, Instant};

use mesh::Refusal;
use tonic::{Code, Status};

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server said no, and this is its reason.
    Refused(String),
    /// It failed, or its answer is not what was asked for.
    Failed(String),
}

impl From<&Status> for Trouble {
    fn from(status: &Status) -> Self {
        let code = status.code();
        let is_failure = matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded);
        match Refusal::from_status(status) {
            Some(refusal) if is_failure => Self::Failed(refusal.reason.as_str().to_owned()),
            Some(refusal) => Self::Refused(refusal.reason.as_str().to_owned()),
            // Not by us: the transport's word, or a proxy's.
            None => Self::Failed(format!("{code:?}")),
        }
    }
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How long each of its calls took.
    pub steps: Vec<(&'static str, Duration)>,
    /// Whether a reservation was answered CONFIRMED.
    pub confirmed: bool,
    /// Whether something was booked of which nobody knows what became.
    pub unknown: bool,
    /// Why it did not succeed.
    pub trouble: Option<Trouble>,
}

impl Outcome {
    /// One that the server refused.
    #[cfg(test)]
    pub fn refused(reason: &str) -> Self {
        Self { trouble: Some(Trouble::Refused(reason.to_owned())), ..Self::default() }
    }

    /// One that failed.
    pub fn failed(reason: &str) -> Self {
        Self { trouble: Some(Trouble::Failed(reason.to_owned())), ..Self::default() }
    }

    /// Makes a call as a step of the operation; nothing if it did not succeed, which is noted.
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
                self.trouble = Some(Trouble::from(&status));
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
    fn a_refusal_is_told_from_a_failure() {
        let status = |reason| Status::from(Refusal::new(reason, "why"));
        let of = |status: Status| Trouble::from(&status);
        assert_eq!(of(status(reservation::reasons::ROOM_UNAVAILABLE)), Trouble::Refused("ROOM_UNAVAILABLE".to_owned()));
        assert_eq!(of(status(Reason::OVERLOADED)), Trouble::Refused("OVERLOADED".to_owned()));
        assert_eq!(of(status(Reason::DRAINING)), Trouble::Failed("DRAINING".to_owned()));
        assert_eq!(of(Status::unavailable("broken pipe")), Trouble::Failed("Unavailable".to_owned()));
    }
}
