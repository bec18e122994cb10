//! Why a call failed, and what that means: to the caller (may it have had an effect?), to a retry, and to the circuit.

use std::{error::Error as _, sync::Arc, time::Duration};

use mesh_foundation::error::{Error, Reason, Refusal};
use tonic::{Code, Status};
use tower::{BoxError, load_shed::error::Overloaded, timeout::error::Elapsed};

use super::breaker::Verdict;

/// The metadata key that says which context a refusal is about.
const CONTEXT: &str = "context";
/// The context that says PAYMENT_UNAVAILABLE of itself. Others say it of payment.
const PAYMENT: &str = "payment";
/// When a caller may try again whom nothing told better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call without a successful reply.
#[derive(Debug, thiserror::Error)]
#[error("{status}")]
pub(super) struct Failure {
    cause: Cause,
    status: Status,
    /// How long the callee asks to be left alone.
    retry_after: Option<Duration>,
    /// Whether it is the matter of one replica, and another one is up.
    elsewhere: bool,
    #[source]
    source: Option<BoxError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// There was nothing that could be sent.
    Unsendable,
    /// The circuit is open.
    CircuitOpen,
    /// Too many calls are in flight.
    Shed,
    /// Nobody could be connected to.
    NoConnection,
    /// The callee's own layers refused the call before any work.
    TurnedAway(Reason),
    /// The connection broke while the call was on it.
    Broken,
    /// The callee has had all the time that one attempt gets.
    TimedOut,
    /// The caller stopped listening.
    GivenUp,
    /// The callee says that it cannot serve.
    Unwell,
    /// The callee says that the time it was given is over.
    OutOfTime,
    /// An answer, though not the one that the caller hoped for.
    Answered,
}

/// How much time a call has had, as its circuit sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Its caller left it less than an answer may take. A context behind the callee may have got nothing of that: payment says that it
    /// cannot serve when no time is left in which it could ask the provider.
    Hurried,
    /// It did not take long.
    Short,
    /// Enough to blame the callee for what did not come of it.
    Fair,
}

/// Marks a status of a call that surely was not sent. It cannot travel: whoever receives the status over the wire finds no mark.
#[derive(Debug, thiserror::Error)]
#[error("the call was not sent")]
struct NotSent(#[source] Option<BoxError>);

/// Whether the call that ended in `status` surely had no effect: each attempt was refused by our own layers, failed to connect, or
/// was turned away by the callee's layers before any work. Any other failure is an answer, or unknown.
pub fn surely_not_sent(status: &Status) -> bool {
    status.source().is_some_and(|source| source.is::<NotSent>())
}

/// The refusal of a call by an open circuit.
pub(super) fn circuit_open(callee: &str, retry_after: Duration) -> Refusal {
    unreachable(callee, "the last calls to it failed, and it is left alone for a moment").retry_after(retry_after)
}

fn unreachable(callee: &str, why: &str) -> Refusal {
    Refusal::new(Reason::UpstreamUnavailable, format!("{callee} cannot be reached: {why}"))
        .hint("try again shortly")
        .with(CONTEXT, callee)
        .retry_after(RETRY_AFTER)
}

fn too_slow(callee: &str) -> Refusal {
    Refusal::new(Reason::DeadlineExceeded, format!("{callee} did not answer in time"))
        .hint("what the call did, if anything, settles by itself")
        .with(CONTEXT, callee)
}

impl Failure {
    fn new(cause: Cause, status: impl Into<Status>) -> Self {
        Self { cause, status: status.into(), retry_after: None, elsewhere: false, source: None }
    }

    fn because(mut self, source: BoxError) -> Self {
        self.source = Some(source);
        self
    }

    /// There is no token to go with the request, or a header cannot be made.
    pub fn unsendable(error: Error) -> Self {
        Self::new(Cause::Unsendable, error)
    }

    /// The message cannot be encoded, or is too large.
    pub fn unreadable_request(error: BoxError) -> Self {
        Self::new(Cause::Unsendable, Status::from_error(error))
    }

    /// The deadline had passed before anything was sent.
    pub fn too_late(callee: &str) -> Self {
        Self::new(Cause::Unsendable, too_slow(callee))
    }

    /// The deadline passed while the call was under way.
    pub fn given_up(callee: &str) -> Self {
        Self::new(Cause::GivenUp, too_slow(callee))
    }

    /// The circuit is open, for about as long as `retry_after`.
    pub fn circuit_open(callee: &str, retry_after: Duration) -> Self {
        Self::new(Cause::CircuitOpen, circuit_open(callee, retry_after))
    }

    /// The callee does not run in this process, or not yet.
    pub fn absent(callee: &str) -> Self {
        Self::new(Cause::NoConnection, unreachable(callee, "it does not run"))
    }

    /// The connection ended before the reply did.
    pub fn broken(callee: &str, source: BoxError) -> Self {
        Self::new(Cause::Broken, unreachable(callee, "the connection broke")).because(source)
    }

    /// No connection is up, so nothing was sent.
    pub fn no_connection(callee: &str, source: BoxError) -> Self {
        Self::new(Cause::NoConnection, unreachable(callee, "no connection")).because(source)
    }

    /// Another replica is up: what one of them says of itself, or the loss of one, is not the callee's failure.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        let elsewhere = self.is_between_lives() || self.cause == Cause::Broken;
        Self { elsewhere, ..self }
    }

    /// Whether a replica says that it is stopping, or has not quite started.
    pub fn is_between_lives(&self) -> bool {
        matches!(self.cause, Cause::TurnedAway(Reason::Starting | Reason::Draining))
    }

    /// Whether another attempt adds no load: this one was not taken, and the next one goes to another replica.
    pub fn is_free_to_retry(&self) -> bool {
        self.elsewhere && self.surely_not_sent()
    }

    /// What tower's layers end a call with: their own errors, or ours passed through.
    pub fn from_layers(callee: &str, error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(failure) => return *failure,
            Err(error) => error,
        };
        if error.is::<Overloaded>() {
            Self::new(Cause::Shed, unreachable(callee, "too many calls to it are in flight")).because(error)
        } else if error.is::<Elapsed>() {
            Self::new(Cause::TimedOut, too_slow(callee)).because(error)
        } else {
            Self::broken(callee, error)
        }
    }

    /// A status that came back from `callee`.
    pub fn answered(callee: &str, status: Status) -> Self {
        let Some(refusal) = Refusal::from_status(&status) else {
            let cause = match status.code() {
                Code::Unavailable | Code::Unknown => Cause::Unwell,
                // Some servers, tonic's own among them, answer CANCELLED at a deadline.
                Code::DeadlineExceeded | Code::Cancelled => Cause::OutOfTime,
                _ => Cause::Answered,
            };
            return Self::new(cause, status);
        };
        let reason = refusal.reason;
        let retry_after = refusal.retry_after;
        // A callee that passes on what it was told by the contexts behind it has done its own work by then, and is well itself.
        let about = refusal.metadata.get(CONTEXT).map(String::as_str);
        let passed_on = about.is_some_and(|about| about != callee);
        let (cause, status) = match reason {
            _ if passed_on => (Cause::Answered, status),
            // Named, so that it cannot be mistaken for our own refusal when it is passed on in turn.
            Reason::Overloaded | Reason::RateLimited | Reason::Starting | Reason::Draining => {
                (Cause::TurnedAway(reason), refusal.with(CONTEXT, callee).into())
            }
            Reason::PaymentUnavailable if callee == PAYMENT => (Cause::Unwell, status),
            _ if reason.code() == Code::Unavailable => (Cause::Unwell, status),
            _ if reason.code() == Code::DeadlineExceeded => (Cause::OutOfTime, status),
            _ => (Cause::Answered, status),
        };
        Self { retry_after, ..Self::new(cause, status) }
    }

    /// Whether the attempt surely was not sent, or did nothing where it arrived.
    pub fn surely_not_sent(&self) -> bool {
        match self.cause {
            Cause::Unsendable | Cause::CircuitOpen | Cause::Shed | Cause::NoConnection | Cause::TurnedAway(_) => true,
            Cause::Broken | Cause::TimedOut | Cause::GivenUp | Cause::Unwell | Cause::OutOfTime | Cause::Answered => {
                false
            }
        }
    }

    /// Whether the callee said what became of the call. That it cannot serve, or could not this time, says nothing about an attempt
    /// before: "payment unavailable" after a connection that broke does not mean that nothing is charged. Nor does a refusal at the
    /// door of another replica, whose keys or version may be others. What knows our requests by their content says so in one of a
    /// few codes, and with a reason of ours.
    pub fn is_an_answer(&self) -> bool {
        let decides = |reason: Reason| {
            matches!(
                reason.code(),
                Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted | Code::OutOfRange
            )
        };
        self.cause == Cause::Answered
            && Refusal::from_status(&self.status).is_some_and(|refusal| decides(refusal.reason))
    }

    /// Whether another attempt may fare better. Not after our own refusal, which is there to keep load away; not after a timeout,
    /// which has used up the time; and not after what the callee passes on, which it has tried again itself.
    pub fn may_be_retried(&self) -> bool {
        match self.cause {
            Cause::NoConnection | Cause::TurnedAway(_) | Cause::Broken => true,
            Cause::Unwell => self.status.code() == Code::Unavailable,
            Cause::Unsendable
            | Cause::CircuitOpen
            | Cause::Shed
            | Cause::TimedOut
            | Cause::GivenUp
            | Cause::OutOfTime
            | Cause::Answered => false,
        }
    }

    /// What it says about the callee. An answer that the caller does not like is an answer. A callee that ran out of the time it was
    /// given is to blame only if that was a fair share, and one that could not do its work unless it had next to no time for it:
    /// otherwise impatient callers could open the circuit for everybody.
    pub fn verdict(&self, share: Share) -> Verdict {
        match self.cause {
            _ if self.elsewhere => Verdict::Inconclusive,
            // Calls that are left no time take places as well, and are no sign of a callee that is slow.
            Cause::Shed | Cause::Unwell if share == Share::Hurried => Verdict::Inconclusive,
            Cause::Shed | Cause::NoConnection | Cause::Broken | Cause::TimedOut | Cause::Unwell => Verdict::Failing,
            Cause::OutOfTime if share == Share::Fair => Verdict::Failing,
            Cause::OutOfTime => Verdict::Inconclusive,
            // Whose turn it is, is a matter between the callee and this one caller.
            Cause::TurnedAway(Reason::RateLimited) => Verdict::Healthy,
            Cause::TurnedAway(_) => Verdict::Failing,
            Cause::Answered => Verdict::Healthy,
            // Made above the circuit or by it.
            Cause::Unsendable | Cause::CircuitOpen | Cause::GivenUp => Verdict::Inconclusive,
        }
    }

    /// How long the callee asks to be left alone. What one replica asks for itself does not hold up another one.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.filter(|_| !self.elsewhere)
    }

    /// As which refusal of our own it is counted, if it is one.
    pub fn local_cause(&self) -> Option<&'static str> {
        match self.cause {
            Cause::CircuitOpen => Some("circuit_open"),
            Cause::Shed => Some("shed"),
            _ => None,
        }
    }

    /// The code that the caller will see.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The status that the caller gets, marked if the call surely was not sent.
    pub fn into_status(self) -> Status {
        let not_sent = self.surely_not_sent();
        let Self { mut status, source, .. } = self;
        if not_sent {
            status.set_source(Arc::new(NotSent(source)));
        } else if let Some(source) = source {
            status.set_source(Arc::from(source));
        }
        status
    }
}
