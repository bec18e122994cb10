//! Why a call failed, and what that means: to the caller (may it have had an effect?), to a retry, and to the circuit.

use std::{error::Error as _, sync::Arc, time::Duration};

use mesh_foundation::error::{Error, Reason, Refusal};
use tonic::{Code, Status};
use tower::{BoxError, load_shed::error::Overloaded, timeout::error::Elapsed};

use super::breaker::Verdict;

/// The metadata key that says which context a refusal is about.
const CONTEXT: &str = "context";
/// The reasons for which the layers in front of a callee refuse a call before any work.
const BY_ITS_LAYERS: [Reason; 4] = [Reason::OVERLOADED, Reason::RATE_LIMITED, Reason::STARTING, Reason::DRAINING];
/// When a caller may try again if the callee named no time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call without a successful reply.
#[derive(Debug, thiserror::Error)]
#[error("{status}")]
pub(super) struct Failure {
    cause: Cause,
    status: Status,
    /// How long the callee asks to be left alone.
    retry_after: Option<Duration>,
    /// Whether it concerns one replica only, and another one is up.
    elsewhere: bool,
    #[source]
    source: Option<BoxError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// There was nothing that could be sent.
    Unsendable,
    /// The circuit is open.
    CircuitOpen,
    /// Too many calls are in flight.
    Shed,
    /// No connection could be made.
    NoConnection,
    /// The callee's own layers refused the call before any work.
    TurnedAway(Reason),
    /// The connection broke while the call was on it.
    Broken,
    /// The attempt timed out.
    TimedOut,
    /// The caller's deadline passed, or the caller went away.
    GivenUp,
    /// The callee says that it cannot serve.
    Unwell,
    /// The callee answered that the time it was given is over.
    OutOfTime,
    /// The callee answered with another error.
    Answered,
}

/// How much time the callee has had, as its circuit sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Its caller left it less time than a good answer may take. A context behind the callee may have had none of it: payment answers
    /// that it cannot serve if no time is left to ask the provider.
    Hurried,
    /// It did not take long.
    Short,
    /// Enough to count a missing answer against the callee.
    Fair,
}

/// Marks the status of a call that surely was not sent. The mark does not travel: a status received over the wire has none.
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
    unreachable(callee, "the last calls to it failed, so calls are paused for a moment").retry_after(retry_after)
}

fn unreachable(callee: &str, why: &str) -> Refusal {
    Refusal::new(Reason::UPSTREAM_UNAVAILABLE, format!("{callee} cannot be reached: {why}"))
        .hint("try again shortly")
        .with(CONTEXT, callee)
        .retry_after(RETRY_AFTER)
}

fn too_slow(callee: &str) -> Refusal {
    Refusal::new(Reason::DEADLINE_EXCEEDED, format!("{callee} did not answer in time"))
        .hint("if the call had an effect, it is settled by itself")
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

    /// A token for the request is missing, or a header cannot be made.
    pub(super) fn unsendable(error: Error) -> Self {
        Self::new(Cause::Unsendable, error)
    }

    /// The message cannot be encoded, or is too large.
    pub(super) fn unreadable_request(error: BoxError) -> Self {
        Self::new(Cause::Unsendable, Status::from_error(error))
    }

    /// The deadline had passed before anything was sent.
    pub(super) fn too_late(callee: &str) -> Self {
        Self::new(Cause::Unsendable, too_slow(callee))
    }

    /// The deadline passed while the call was under way.
    pub(super) fn given_up(callee: &str) -> Self {
        Self::new(Cause::GivenUp, too_slow(callee))
    }

    /// The circuit is open, for about as long as `retry_after`.
    pub(super) fn circuit_open(callee: &str, retry_after: Duration) -> Self {
        Self::new(Cause::CircuitOpen, circuit_open(callee, retry_after))
    }

    /// The callee does not run in this process, or not yet.
    pub(super) fn absent(callee: &str) -> Self {
        Self::new(Cause::NoConnection, unreachable(callee, "it does not run"))
    }

    /// The connection ended before the reply did.
    pub(super) fn broken(callee: &str, source: BoxError) -> Self {
        Self::new(Cause::Broken, unreachable(callee, "the connection broke")).because(source)
    }

    /// No connection is up, so nothing was sent.
    pub(super) fn no_connection(callee: &str, source: BoxError) -> Self {
        Self::new(Cause::NoConnection, unreachable(callee, "no connection")).because(source)
    }

    /// Another replica is up: the state or the loss of one replica is not a failure of the callee.
    #[must_use]
    pub(super) fn elsewhere(self) -> Self {
        let elsewhere = self.is_between_lives() || self.cause == Cause::Broken;
        Self { elsewhere, ..self }
    }

    /// Whether a replica says that it is stopping, or has not quite started.
    pub(super) fn is_between_lives(&self) -> bool {
        matches!(&self.cause, Cause::TurnedAway(reason) if [Reason::STARTING, Reason::DRAINING].contains(reason))
    }

    /// Whether another attempt adds no load: this one was not accepted, and the next one goes to another replica.
    pub(super) fn is_free_to_retry(&self) -> bool {
        self.elsewhere && self.surely_not_sent()
    }

    /// An error from tower's layers: their own, or ours passed through.
    pub(super) fn from_layers(callee: &str, error: BoxError) -> Self {
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
    pub(super) fn answered(callee: &str, status: Status) -> Self {
        let Some(refusal) = Refusal::from_status(&status) else {
            let cause = match status.code() {
                Code::Unavailable | Code::Unknown => Cause::Unwell,
                // Some servers, tonic's own among them, answer CANCELLED at a deadline.
                Code::DeadlineExceeded | Code::Cancelled => Cause::OutOfTime,
                _ => Cause::Answered,
            };
            return Self::new(cause, status);
        };
        let (reason, code) = (refusal.reason.clone(), refusal.reason.code());
        let retry_after = refusal.retry_after;
        // A callee that passes on the error of a context behind it is healthy itself.
        let about = refusal.metadata.get(CONTEXT).map(String::as_str);
        let passed_on = about.is_some_and(|about| about != callee);
        let about_itself = about == Some(callee);
        let (cause, status) = match code {
            _ if passed_on => (Cause::Answered, status),
            // Named, so that it cannot be mistaken for our own refusal when it is passed on in turn.
            _ if BY_ITS_LAYERS.contains(&reason) => (Cause::TurnedAway(reason), refusal.with(CONTEXT, callee).into()),
            Code::ResourceExhausted if about_itself => (Cause::Unwell, status),
            Code::Unavailable => (Cause::Unwell, status),
            Code::DeadlineExceeded => (Cause::OutOfTime, status),
            _ => (Cause::Answered, status),
        };
        Self { retry_after, ..Self::new(cause, status) }
    }

    /// Whether the attempt surely was not sent, or did nothing where it arrived.
    pub(super) fn surely_not_sent(&self) -> bool {
        match self.cause {
            Cause::Unsendable | Cause::CircuitOpen | Cause::Shed | Cause::NoConnection | Cause::TurnedAway(_) => true,
            Cause::Broken | Cause::TimedOut | Cause::GivenUp | Cause::Unwell | Cause::OutOfTime | Cause::Answered => {
                false
            }
        }
    }

    /// Whether the callee's answer tells the outcome of the call, earlier attempts included. "Unavailable" does not: after a broken
    /// connection, "payment unavailable" does not mean that nothing was charged. Nor does a refusal by the layers of another replica,
    /// which may have other keys or another version. An answer that knows the request has one of a few codes and a reason of ours.
    pub(super) fn is_an_answer(&self) -> bool {
        let decides = |reason: &Reason| {
            matches!(
                reason.code(),
                Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted | Code::OutOfRange
            )
        };
        self.cause == Cause::Answered
            && Refusal::from_status(&self.status).is_some_and(|refusal| decides(&refusal.reason))
    }

    /// Whether another attempt may succeed. Not after our own refusal, which exists to keep load away; not after a timeout, which has used
    /// up the time; and not after an error that the callee passes on, because the callee has retried already.
    pub(super) fn may_be_retried(&self) -> bool {
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

    /// What the failure says about the callee. An error answer is an answer. A timeout, or an answer that the callee cannot serve, counts
    /// against the callee only if it had enough time: otherwise callers with short deadlines could open the circuit for everybody.
    pub(super) fn verdict(&self, share: Share) -> Verdict {
        match &self.cause {
            _ if self.elsewhere => Verdict::Inconclusive,
            // Calls without time left take permits too, and do not show that the callee is slow.
            Cause::Shed | Cause::Unwell if share == Share::Hurried => Verdict::Inconclusive,
            Cause::Shed | Cause::NoConnection | Cause::Broken | Cause::TimedOut | Cause::Unwell => Verdict::Failing,
            Cause::OutOfTime if share == Share::Fair => Verdict::Failing,
            Cause::OutOfTime => Verdict::Inconclusive,
            // A rate limit concerns the callee and this one caller.
            Cause::TurnedAway(reason) if *reason == Reason::RATE_LIMITED => Verdict::Healthy,
            Cause::TurnedAway(_) => Verdict::Failing,
            Cause::Answered => Verdict::Healthy,
            // Made above the circuit or by it.
            Cause::Unsendable | Cause::CircuitOpen | Cause::GivenUp => Verdict::Inconclusive,
        }
    }

    /// How long the callee asks to be left alone. The request of one replica does not hold up another.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after.filter(|_| !self.elsewhere)
    }

    /// The label of our own refusal for metrics, if it is one.
    pub(super) fn local_cause(&self) -> Option<&'static str> {
        match self.cause {
            Cause::CircuitOpen => Some("circuit_open"),
            Cause::Shed => Some("shed"),
            _ => None,
        }
    }

    /// The code that the caller will see.
    pub(super) fn code(&self) -> Code {
        self.status.code()
    }

    /// The status that the caller gets, marked if the call surely was not sent.
    pub(super) fn into_status(self) -> Status {
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
