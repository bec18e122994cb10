//! Hold, pay, confirm; or let go. Reservation, order and rental are three words for this one thing.
//!
//! ```text
//!              T1: hold taken             T2: payment approved
//!   create ───► PENDING ────────────────► CONFIRMED ──► (fulfilment states of the context)
//!                │                          │ cancel (until the context's closing time)
//!                ├ all-or-nothing, refused: REJECTED      ▼
//!                ├ expiry passed, voided:   EXPIRED     CANCEL_REQUESTED ──refunded──► CANCELLED
//!                └ cancel asked, voided:    CANCELLED
//! ```
//!
//! | rule | where | what it says |
//! |---|---|---|
//! | **T** transitions | [`settle`], [`progress`] | each is one conditional update on (name, version, state); units, outbox and stored answer change only with it |
//! | **R** request record | [`begin`], [`requests`](mesh_store::requests) | the hold's first insert; the same id replays a final answer, or joins the payment under way and waits for its outcome ([`waiting`]) |
//! | **H** hold elsewhere | [`reserve`] | units in another context's database are held by one call before T1; what is not known of it is released by an event |
//! | **N** not sent | [`payments`] | an open attempt's units go without asking payment only if its one call was surely not sent |
//! | **D** detached | [`begin`] | a caller who hangs up changes nothing |
//! | **A** attempts | [`machine::pay`] | only a declined attempt makes room for the next; a voided one ends the case |
//! | **O** orphans | [`machine::settle`] | an approval for a case that has ended unpaid, or of an earlier attempt, is given back, once |
//! | **S** sweeper | [`sweeper`] | asks payment about whatever is unsettled; past the expiry it voids, and obeys the answer |
//! | **C** cancel | [`machine::cancel`] | irrevocable; the units come back at once, the refund follows |
//! | **K** judge | [`machine::judged`] | if somebody may have begun to fulfil the case, they decide whether its customer can still cancel it |
//! | **L** claims | [`sweeper`] | work is claimed by a committed conditional update; doing it twice is harmless |
//!
//! What is decided is decided in [`machine`], by pure functions. Each context with cases runs the rules as tests on its own cases:
//! `mesh_testing::lifecycle`.

mod audit;
mod begin;
mod cancel;
mod cancellation;
mod judge;
pub mod kill;
pub mod machine;
#[cfg(test)]
mod machine_tests;
mod metrics;
pub mod payments;
mod policy;
mod progress;
pub mod reasons;
pub mod record;
mod reserve;
mod settle;
pub mod store;
mod sweeper;
mod waiting;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

pub use audit::CaseEntry;
pub use cancel::Cancels;
pub use cancellation::{Asks, By, Cancellation, Cause, Closing};
pub use machine::{Fact, Mode, Standing, State, Verdict};
pub use progress::{Progress, Told};
pub use record::{Case, Cases, Due, Record, Scope, Terms, payment_name, refund_id};
pub use reserve::{Reserved, Reserves};

use mesh_foundation::{background::Background, clock::Clock, error::Error};
use mesh_store::db::Database;

use self::payments::Payments;
pub use mesh_foundation::types::PaymentAction;

/// The bounds of a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a hold without a payment is kept.
    pub hold: Duration,
    /// How long payment may take before its outcome counts as unknown.
    pub payment_timeout: Duration,
    /// How long after a payment attempt began the sweeper asks about it: more than `payment_timeout`.
    pub settle_after: Duration,
    /// How many PENDING cases a payer may have.
    pub max_open_holds: u32,
    /// How many payment attempts a hold takes: at most 60, as each has a bit.
    pub max_attempts: u32,
    /// How often the sweeper looks for work.
    pub sweep_interval: Duration,
    /// How long another context may take to hold units before that counts as unknown (rule H).
    pub reserve_timeout: Duration,
    /// How long whoever wants to cancel waits at most for those who decide whether it still can be (rule K).
    pub cancel_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(600),
            payment_timeout: Duration::from_secs(5),
            settle_after: Duration::from_secs(7),
            max_open_holds: 10,
            max_attempts: 10,
            sweep_interval: Duration::from_secs(1),
            reserve_timeout: Duration::from_secs(2),
            cancel_wait: Duration::from_secs(2),
        }
    }
}

/// The lifecycle of one context's cases. Cheap to clone.
pub struct Checkout<C: Cases>(Arc<Inner<C>>);

impl<C: Cases> Clone for Checkout<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<C> {
    cases: C,
    database: Database,
    payments: Arc<dyn Payments>,
    settings: Settings,
    clock: Clock,
    background: Background,
    /// Wakes the sweeper before its interval is over.
    work: Arc<Notify>,
}

impl<C: Cases> Checkout<C> {
    /// The lifecycle of `cases`, which stand in `database`.
    pub fn new(
        cases: C,
        database: Database,
        payments: Arc<dyn Payments>,
        settings: Settings,
        clock: Clock,
        background: Background,
    ) -> Self {
        Self(Arc::new(Inner { cases, database, payments, settings, clock, background, work: Arc::default() }))
    }

    /// What the context supplies.
    pub fn cases(&self) -> &C {
        &self.0.cases
    }

    /// The case of that name as it was last committed, or the refusal that there is none.
    pub async fn get(&self, name: &str, scope: &Scope) -> Result<C::Case, Error> {
        let case = store::find::<C>(self.0.database.read(), name, scope).await?;
        case.ok_or_else(|| store::not_found::<C>(name))
    }
}
