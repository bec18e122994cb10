//! Rule H: the units of a case are in another context's database, which is asked to hold them before T1.
//!
//! 1. One commit writes down what will be asked: the request record and an intent. No case exists yet, and nothing is told.
//! 2. The other context is asked, once. If it holds the units, T1 follows, and deletes the intent in its own commit.
//! 3. If it surely holds nothing, one commit deletes both, and nothing remains. If nobody knows, the same commit tells that the hold is
//!    abandoned, and the other context releases it when it hears that; the request may be sent again, and asks for another hold.
//!
//! No money moves before T1. So an unknown outcome need not be found out: it is refused now, and released by an event. Deleting the intent
//! is the claim: of T1, whoever asked, and the sweeper, one does it, and the others find that it is gone.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_foundation::{
    background::Background,
    call::{Actor, Caller},
    driver::Task,
    error::{Error, Reason, Refusal},
    event::Event,
};
use mesh_store::{
    db::{Tx, Work},
    outbox,
    requests::{self, Claim, Request},
    watch,
};
use tokio::time::Instant;

use super::{
    Checkout, kill,
    record::{Case, Cases},
    store::intent::{self, Model as Intent},
};

/// In place of a payment attempt, in the records of requests whose case does not exist yet.
pub(super) const INTENT: u32 = 0;
/// After an intent's call is over, how long its own handler has to decide before the sweeper does.
const GRACE: Duration = Duration::from_secs(2);
/// How long the same request waits for the one under way, and how often it tries anew when that came to nothing.
const JOIN_WAIT: Duration = Duration::from_secs(2);
const MAX_TRIES: u32 = 3;
/// How many intents are given up at a time.
const BATCH: u64 = 64;

/// What the one call for a hold came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The units are held.
    Held,
    /// Nothing is held, and why: said by the other context itself, to the only call that was made.
    Refused(Refusal),
    /// The call was surely not sent.
    NotSent,
    /// Nobody knows: it timed out, or broke off.
    Unknown,
}

/// Another context that holds the units of cases.
#[async_trait]
pub trait Reserves<K>: Send + Sync {
    /// The hold of a case, by its resource name: derived from the case, so that it names one hold for ever.
    fn hold(&self, case: &K) -> String;
    /// Asks for it, once. It is never repeated: a refusal has to be the answer to the only call.
    async fn reserve(&self, case: &K, within: Duration) -> Reserved;
    /// Whether the other context would not even be asked now: looked at first, so that an open circuit writes no intent.
    fn refuses_now(&self) -> bool;
    /// The refusal when nobody can say whether units are left: nothing is held for the caller, and nothing is charged.
    fn unavailable(&self) -> Refusal;
    /// What is told of a hold that nobody waits for any more.
    fn abandoned(&self, hold: &str, now: Timestamp, actor: &Actor) -> Event;
}

/// Where a request is when its intent was to be written.
enum Intended {
    /// The intent is written.
    Written,
    /// The same request came before.
    Came(Claim),
}

impl<C: Cases> Checkout<C> {
    /// Steps 1 and 2. Returns what the request's id stands for instead, if the request came before.
    pub(super) async fn reserve(
        &self,
        reserves: &dyn Reserves<C::Case>,
        case: &C::Case,
        request: Option<&Request>,
        caller: &Caller,
    ) -> Result<Option<Claim>, Error> {
        let record = case.record();
        let intent = Intent {
            case_name: record.name.clone(),
            hold: reserves.hold(case),
            correlation_id: record.correlation_id.clone(),
            ask_until: 0,
        };
        if let Some(claim) = self.intend(&intent, request).await? {
            return Ok(Some(claim));
        }
        kill::AFTER_INTENT.reached();
        let within = self.0.settings.reserve_timeout.min(caller.remaining() / 3);
        let reserved = if within.is_zero() { Reserved::NotSent } else { reserves.reserve(case, within).await };
        kill::AFTER_RESERVE.reached();
        match reserved {
            Reserved::Held => Ok(None),
            Reserved::Refused(refusal) => Err(self.forget(&intent.case_name, refusal).await),
            Reserved::NotSent => Err(self.forget(&intent.case_name, reserves.unavailable()).await),
            Reserved::Unknown => {
                self.give_up(&intent.case_name).await;
                Err(reserves.unavailable().into())
            }
        }
    }

    /// Commits the intent. None if it is there now; otherwise what the request's id stands for, once its case exists.
    async fn intend(&self, intent: &Intent, request: Option<&Request>) -> Result<Option<Claim>, Error> {
        for _ in 0..MAX_TRIES {
            match self.try_to_intend(intent, request).await? {
                Intended::Written => return Ok(None),
                Intended::Came(claim) => match (claim, request) {
                    (Claim::Open { attempt: INTENT, .. }, Some(request)) => match self.past_intent(request).await? {
                        // It came to nothing, and the id is free again.
                        Claim::New => {}
                        claim => return Ok(Some(claim)),
                    },
                    (claim, _) => return Ok(Some(claim)),
                },
            }
        }
        Err(in_progress().into())
    }

    async fn try_to_intend(&self, intent: &Intent, request: Option<&Request>) -> Result<Intended, Error> {
        let ask_until = self.0.clock.now() + self.0.settings.reserve_timeout + GRACE;
        let intent = &Intent { ask_until: ask_until.as_microsecond(), ..intent.clone() };
        let begins = Some((intent.case_name.as_str(), INTENT));
        let record = request.map(|request| requests::record(request, begins, None, self.0.clock.now())).transpose()?;
        let work = Work::new("intent").then_all(record.clone()).then(intent::insert(intent));
        let by_what_stands = |tx: Tx| {
            let record = record.clone();
            async move {
                // It was committed, and nobody has said so.
                if intent::is_there(&*tx, &intent.case_name).await? {
                    return Ok(Intended::Written);
                }
                if let Some((request, record)) = request.zip(record) {
                    match requests::claim(&tx, request, record).await? {
                        Claim::New => {}
                        claim => return Ok(Intended::Came(claim)),
                    }
                }
                tx.expect(intent::insert(intent)).await?;
                Ok(Intended::Written)
            }
        };
        self.0.database.perform_or(work, Intended::Written, by_what_stands).await
    }

    /// What the request's id stands for once it is no intent any more. The same request, sent twice at once, waits here for the first.
    pub(super) async fn past_intent(&self, request: &Request) -> Result<Claim, Error> {
        let look = || requests::look(self.0.database.read(), request);
        let enough =
            |claim: &Claim| !matches!(claim, Claim::Open { attempt: INTENT, .. }) || self.0.background.is_draining();
        match watch::until(&self.0.database, Instant::now() + JOIN_WAIT, look, enough).await? {
            Claim::Open { attempt: INTENT, .. } => Err(in_progress().into()),
            claim => Ok(claim),
        }
    }

    /// Nothing is held: the intent goes, and the request's id is free. Returns the refusal; if this fails, the sweeper gives the intent up.
    async fn forget(&self, case: &str, refusal: Refusal) -> Error {
        let forget = async {
            let work = Work::new("forget").then(intent::delete(case)).then(requests::free_case(case, INTENT)?);
            self.0.database.perform(work).await
        };
        if let Err(error) = forget.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(case, error, "failed to forget an intent; the sweeper will retry");
        }
        refusal.into()
    }

    /// Nobody knows what is held, or T1 was refused: the hold is abandoned, by the sweeper if this fails. False if the intent was gone.
    pub(super) async fn give_up(&self, case: &str) -> bool {
        self.abandon(case).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(case, error, "failed to abandon a hold; the sweeper will retry");
            true
        })
    }

    /// One commit: the intent goes, the request's id is free, and the other context is told to release the hold. False if somebody else has
    /// decided.
    async fn abandon(&self, case: &str) -> Result<bool, Error> {
        let Some(reserves) = self.0.cases.reserves() else { return Ok(false) };
        let now = self.0.clock.now();
        self.0
            .database
            .transact("abandon", |tx| async move {
                let Some(intent) = intent::find(&*tx, case).await? else { return Ok(false) };
                tx.expect(intent::delete(case)).await?;
                tx.expect(requests::free_case(case, INTENT)?).await?;
                let actor = Actor::context(C::CONTEXT, &intent.correlation_id);
                outbox::append(&tx, reserves.abandoned(&intent.hold, now, &actor)).await?;
                Ok(true)
            })
            .await
    }

    /// Starts the loop that gives up what a crash has left behind.
    pub(super) fn start_giving_up(&self, background: &Background) {
        if self.0.cases.reserves().is_none() {
            return;
        }
        let (this, interval) = (self.clone(), self.0.settings.sweep_interval);
        Task::new(C::CONTEXT, "intents", interval).start(background, move || {
            let this = this.clone();
            async move { Ok(this.give_up_once().await?.into()) }
        });
    }

    /// Gives up every intent that nobody waits for any more, and tells how many those were. It asks nobody.
    pub async fn give_up_once(&self) -> Result<usize, Error> {
        let due = intent::due(self.0.database.read(), self.0.clock.now(), BATCH).await?;
        let mut given_up = 0;
        for Intent { case_name: case, .. } in due {
            match self.abandon(&case).await {
                Ok(done) => given_up += usize::from(done),
                // It holds up no other.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(case, error, "failed to abandon a hold; the sweeper will retry");
                }
            }
        }
        Ok(given_up)
    }
}

fn in_progress() -> Refusal {
    Refusal::new(Reason::REQUEST_IN_PROGRESS, "the same request is being worked on").retry_after(Duration::from_secs(1))
}
