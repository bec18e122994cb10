//! Waiting for what somebody else's call to payment leads to (rule R).
//!
//! Payment answers a call whose like it is at work on with just that. So of one request that was sent twice at once, to one replica
//! or to two, only the first would hear the outcome, and the second PAYMENT_PENDING: it would have to ask again for what is known a
//! moment later.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Checkout,
    begin::ANSWER_MARGIN,
    machine::Outcome,
    payments::Seen,
    record::{Cases, Record, Scope},
};
use crate::{
    call::Caller,
    error::{Error, Reason},
    requests::{self, Answer, Claim, Request},
    watch,
};

impl<C: Cases> Checkout<C> {
    /// The answer that comes of the attempt that `record` stands at, for which somebody else called payment at `since`. None if that
    /// stays unknown for as long as such a call is waited for, or for as long as this caller listens.
    pub(super) async fn outcome_of_others(
        &self,
        record: &Record,
        since: Timestamp,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Option<Answer> {
        let waited = Duration::try_from(self.0.clock.now().duration_since(since)).unwrap_or_default();
        let left = self.0.settings.payment_timeout.saturating_sub(waited);
        let within = left.min(caller.remaining().saturating_sub(ANSWER_MARGIN));
        match self.outcome_within(within, record, request).await {
            Ok(answer) => Some(answer).filter(|answer| !is_pending(answer)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an outcome cannot be waited for");
                None
            }
        }
    }

    async fn outcome_within(
        &self,
        within: Duration,
        record: &Record,
        request: Option<&Request>,
    ) -> Result<Answer, Error> {
        let look = || self.answer_now(&record.name, record.standing.attempt);
        // A drain awaits this task, and whoever asks again is answered elsewhere.
        let enough = |answer: &Answer| !is_pending(answer) || self.0.background.is_draining();
        let found = watch::until(&self.0.database, Instant::now() + within, look, enough).await?;
        let Some(request) = request else { return Ok(found) };
        match requests::look(self.0.database.read(), request).await? {
            // What was stored when the case was settled: it may have gone on since.
            Claim::Answered(answer) => Ok(answer),
            Claim::New | Claim::Open { .. } => Ok(found),
        }
    }

    /// What a caller is told who has seen nothing, and none of whose calls had an effect that is not written down.
    async fn answer_now(&self, name: &str, attempt: u32) -> Result<Answer, Error> {
        let case = self.0.cases.read(name, &Scope::All).await?.ok_or_else(|| self.0.cases.not_found(name))?;
        Ok(self.answer(&case, attempt, &Seen::bare(Outcome::NotSent)))
    }
}

/// Whether the caller is told that the outcome is not known yet.
pub(super) fn is_pending(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(refusal) if refusal.reason == Reason::PaymentPending)
}
