//! Waits for the outcome of another caller's call to payment (rule R).
//!
//! While payment is working on an attempt, it answers a second call for it with PAYMENT_PENDING. If a client sends one request twice at
//! once, to one replica or to two, the second caller would therefore be told to retry for an outcome that is known a moment later; so we
//! wait for it here.

use std::time::Duration;

use jiff::Timestamp;
use mesh_foundation::{call::Caller, error::Error};
use mesh_store::{
    requests::{self, Answer, Claim, Request},
    watch,
};
use tokio::time::Instant;

use super::{
    Checkout,
    begin::ANSWER_MARGIN,
    machine::Outcome,
    payments::PaymentStatus,
    reasons,
    record::{Cases, Record, Scope},
};

/// What a call has led to, and what it may still hear.
pub(super) struct Reply {
    /// What the caller is told otherwise.
    pub answer: Answer,
    /// Whose outcome would be a better answer.
    pub others: Option<Others>,
}

/// A call of somebody else's for the same attempt.
pub(super) struct Others {
    name: String,
    attempt: u32,
    since: Timestamp,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, others: None }
    }
}

impl Reply {
    /// `answer` to a caller of that attempt, for which somebody else called payment at `since`, if anybody did.
    pub(super) fn of(answer: Answer, record: &Record, attempt: u32, since: Option<Timestamp>) -> Self {
        let others = since.filter(|_| is_pending(&answer));
        Self { answer, others: others.map(|since| Others { name: record.name.clone(), attempt, since }) }
    }
}

impl<C: Cases> Checkout<C> {
    /// The answer that comes of what others have called for. None if that stays unknown for as long as such a call is waited for, or
    /// for as long as this caller listens.
    pub(super) async fn outcome_of_others(
        &self,
        others: &Others,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Option<Answer> {
        let waited = Duration::try_from(self.0.clock.now().duration_since(others.since)).unwrap_or_default();
        let left = self.0.settings.payment_timeout.saturating_sub(waited);
        let within = left.min(caller.remaining().saturating_sub(ANSWER_MARGIN));
        match self.outcome_within(within, others, request).await {
            Ok(answer) => Some(answer).filter(|answer| !is_pending(answer)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to wait for an outcome");
                None
            }
        }
    }

    async fn outcome_within(
        &self,
        within: Duration,
        others: &Others,
        request: Option<&Request>,
    ) -> Result<Answer, Error> {
        let look = || self.answer_now(&others.name, others.attempt);
        // A stop waits for the calls in hand, and whoever asks again is answered elsewhere.
        let enough = |answer: &Answer| !is_pending(answer) || self.0.background.is_draining();
        let found = watch::until(&self.0.database, Instant::now() + within, look, enough).await?;
        let Some(request) = request else { return Ok(found) };
        match requests::look(self.0.database.read(), request).await? {
            // What was stored when the case was settled: it may have gone on since.
            Claim::Answered(answer) => Ok(answer),
            Claim::New | Claim::Open { .. } => Ok(found),
        }
    }

    /// The answer for a caller whose own call to payment told it nothing and left nothing unrecorded.
    async fn answer_now(&self, name: &str, attempt: u32) -> Result<Answer, Error> {
        let case = self.get(name, &Scope::All).await?;
        Ok(self.answer(&case, attempt, &PaymentStatus::bare(Outcome::NotSent)))
    }
}

/// Whether the caller is told that the outcome is not known yet.
fn is_pending(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(refusal) if refusal.reason == reasons::PAYMENT_PENDING)
}
