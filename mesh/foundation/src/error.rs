//! Errors, and the one place where they become a [`Status`].
//!
//! A [`Refusal`] is an answer: it tells the caller what was refused, why and what to do next, with a reason that never changes. Any other
//! [`Error`] is an internal failure: its text goes to our log, and the caller gets the correlation id.

use std::{collections::BTreeMap, collections::HashMap, time::Duration};

use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::failure::StoreError;
pub use crate::reason::Reason;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "jumak";

/// The longest wait that we accept from another server. A status off the wire may name any number, even one that no clock holds.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How many characters of a caller's text a status repeats.
const MAX_SHOWN_CHARS: usize = 80;

/// A caller's text as a status may repeat it: its beginning, with a mark where it was cut, and without control characters. A status
/// travels in headers, which are small and are kept in logs.
pub fn shown(sent: &str) -> String {
    let printable = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut letters = sent.chars().map(printable);
    let mut shown: String = letters.by_ref().take(MAX_SHOWN_CHARS).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// An answer of "no": what, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// What and why, for a person.
    pub message: String,
    /// The values that a program needs to go on.
    pub metadata: BTreeMap<String, String>,
    /// Every field at fault, by its path from the request's root, with what is wrong.
    pub violations: Vec<(String, String)>,
    /// After how long to try again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal for `reason`, saying `message`: lowercase, no full stop.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), metadata: BTreeMap::new(), violations: Vec::new(), retry_after: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.message.push_str("; ");
        self.message.push_str(hint.as_ref());
        self
    }

    /// Adds one entry to the metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The refusal that a status off the wire carries, if it is one of ours, whatever context its reason belongs to; it asks to wait for a minute at most.
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = status.check_error_details().ok()?;
        let info = details.error_info()?;
        if info.domain != DOMAIN {
            return None;
        }
        let reason = Reason::read(&info.reason, status.code())?;
        Some(Self {
            reason,
            message: status.message().to_owned(),
            metadata: info.metadata.clone().into_iter().collect(),
            violations: details
                .bad_request()
                .map(|bad| bad.field_violations.iter().map(|v| (v.field.clone(), v.description.clone())).collect())
                .unwrap_or_default(),
            retry_after: details
                .retry_info()
                .and_then(|retry| retry.retry_delay)
                .map(|delay| delay.min(MAX_RETRY_AFTER)),
        })
    }
}

impl Reason {
    /// The reason in a status off the wire, if it is one of ours: a proxy's NOT_FOUND says nothing about the resource.
    pub fn of(status: &Status) -> Option<Self> {
        Refusal::from_status(status).map(|refusal| refusal.reason)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            refusal.reason.as_str(),
            DOMAIN,
            refusal.metadata.into_iter().collect::<HashMap<_, _>>(),
        );
        if !refusal.violations.is_empty() {
            details.set_bad_request(
                refusal
                    .violations
                    .into_iter()
                    .map(|(field, description)| FieldViolation::new(field, description))
                    .collect::<Vec<_>>(),
            );
        }
        if refusal.retry_after.is_some() {
            details.set_retry_info(refusal.retry_after);
        }
        Status::with_error_details(refusal.reason.code(), refusal.message, details)
    }
}

/// Why a use case has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused, and the caller is told why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The context's database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The data cannot be used as it is: it is of another version of Jumak, or a part of it is lost.
    #[error(transparent)]
    Incompatible(Box<dyn std::error::Error + Send + Sync>),
    /// Another context answered with a status that is passed on as it is.
    #[error("an upstream refused")]
    Upstream(#[source] Box<Status>),
    /// The update of a transition matched no row, because another transition was faster. The transaction rolls back and is retried, so that
    /// it reads the new state.
    #[error("another transition was faster")]
    Lost,
    /// The change needs a transaction of its own, and this one handles other things too. It rolls back, and each of them is done alone.
    #[error("the change needs a transaction of its own")]
    Apart,
    /// An invariant was violated: this is a bug.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Upstream(Box::new(status))
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// Whether running the whole transaction again, from its first read, may end otherwise.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict(_)) | Self::Lost)
    }
}

/// The one mapping from an error to a status. Logs the chain once if the error is internal.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Upstream(status) => *status,
            Error::Store(source @ (StoreError::Unavailable(_) | StoreError::Conflict(_))) => {
                tracing::error!(error = &source as &dyn std::error::Error, "call failed: the database cannot be used");
                Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "the database of this context cannot be used right now")
                    .with("component", "database")
                    .hint("try again shortly")
                    .retry_after(Duration::from_secs(1))
                    .into()
            }
            Error::Store(source @ StoreError::CommitUnknown(_)) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "call failed: a COMMIT has an unknown outcome"
                );
                Refusal::new(Reason::UPSTREAM_UNAVAILABLE, "it is not known whether the database has stored the change")
                    .with("component", "database")
                    .hint("send the same request again with the same request_id: if it was stored, you get the same answer")
                    .retry_after(Duration::from_secs(1))
                    .into()
            }
            Error::Lost => {
                Refusal::new(Reason::REQUEST_IN_PROGRESS, "too many other requests are changing the same resource")
                    .hint("try again shortly")
                    .retry_after(Duration::from_secs(1))
                    .into()
            }
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "call failed with an internal error");
                Refusal::new(Reason::INTERNAL, "an internal error occurred")
                    .hint("the server's log has the details under the correlation id of this call")
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// A context's.
    const SOLD_OUT: Reason = Reason::new("SOLD_OUT", Code::FailedPrecondition);

    #[test]
    fn a_refusal_survives_the_wire() {
        let refusal = Refusal::new(SOLD_OUT, "room is sold out on 2027-05-02 (0 of 1 left)")
            .hint("try other dates or SearchRooms")
            .with("date", "2027-05-02")
            .retry_after(Duration::from_secs(2));
        let status = Status::from(refusal.clone());
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(Reason::of(&status), Some(SOLD_OUT));
        assert_eq!(Refusal::from_status(&status), Some(refusal));
    }

    #[test]
    fn nobody_is_made_to_wait_for_longer_than_a_minute() {
        let refusal = Refusal::new(Reason::DRAINING, "payment is stopping").retry_after(Duration::MAX);
        let read = Refusal::from_status(&refusal.into()).unwrap();
        assert_eq!(read.retry_after, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_status_that_is_not_ours_is_no_refusal() {
        let status = Status::unavailable("upstream connect error");
        assert_eq!((Refusal::from_status(&status), Reason::of(&status)), (None, None));
    }

    #[test]
    fn what_a_caller_sent_is_repeated_in_part() {
        assert_eq!(shown("rooms/1"), "rooms/1");
        assert_eq!(shown(&"한".repeat(80)), "한".repeat(80));
        assert_eq!(shown(&"한".repeat(81)), format!("{}…", "한".repeat(80)));
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
    }
}
