//! The use cases. A charge that is due at once is committed together with its outcome. Anything else is committed first, and carried
//! out by a conditional update later: by its own call or, even if that call has ended, by the loop.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mesh::{
    Clock, Database, Error, Reason, Refusal,
    background::Background,
    db::Work,
    driver::{Task, Turn},
    money::{Money, MoneyError},
};
use tokio::sync::Notify;
use tonic::Status;

use crate::{
    Settings,
    domain::{
        charge::{Charge, Refund, RefundError, State},
        token::{Pace, RefundPlan, Script, TOKENS, Token},
    },
    reasons, store,
};

/// How long a call that is never answered waits: longer than any call's deadline.
const NEVER: Duration = Duration::from_secs(3_600);
/// How many charges, and how many refunds, are carried out at a time.
const BATCH: u64 = 64;
/// The longest pause of the loop, which is woken for everything that this process adds.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// The first pause after a failure of the database.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The provider's use cases over its database.
pub struct App {
    database: Database,
    clock: Clock,
    settings: Settings,
    /// Wakes the loop when work was added that is due later.
    added: Arc<Notify>,
}

impl App {
    /// The use cases over `database`, which is migrated.
    pub fn new(database: Database, clock: Clock, settings: Settings) -> Arc<Self> {
        Arc::new(Self { database, clock, settings, added: Arc::default() })
    }

    /// The database, for lists.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Where the payer approves a charge.
    pub fn action_uri(&self, charge: &Charge) -> String {
        format!("{}{}", self.settings.action_page, charge.id)
    }

    /// Charges `amount` to the payment method of `token`, once for each id.
    pub async fn charge(&self, id: &str, amount: Money, token: &str) -> Result<Charge, Status> {
        // Before the token is read, because the first call that arrived counts.
        if let Some(existing) = store::find(self.database.read(), id).await? {
            return self.repeated(existing, amount).await;
        }
        let script = match Token::parse(token) {
            Some(Token::Charges(script)) => script,
            Some(Token::Fails) => return Err(Status::internal("the provider failed, as this token asks it to")),
            None => return Err(unknown_token().into()),
        };
        if script.pace == Pace::Answered(Duration::ZERO) {
            return self.charge_at_once(id, amount, script).await;
        }
        if let Some(existing) = self.arrive(id, amount, script).await? {
            return self.repeated(existing, amount).await;
        }
        match script.pace {
            Pace::Answered(after) => {
                // If the caller hangs up, this call ends, and the loop carries the charge out.
                tokio::time::sleep(after).await;
                Ok(self.carry_out(id).await?)
            }
            Pace::Unanswered | Pace::Lost => self.never(id).await,
        }
    }

    /// Commits a charge that is due at once together with what becomes of it, unless one of its id is there.
    async fn charge_at_once(&self, id: &str, amount: Money, script: Script) -> Result<Charge, Status> {
        let now = self.clock.now();
        let mut charge = Charge::arrive(id.to_owned(), amount, script, State::Processing, now, now);
        let (_, moved) = charge.carry_out(now, self.settings.action_time);
        let moved = moved.map(|moved| store::moved(id, moved, amount, now));
        let steps = &[Some(store::added(&charge)), moved].into_iter().flatten().collect::<Vec<_>>();
        let (work, charge) = (Work::new("charge").then_all(steps.clone()), &charge);
        let stands = self
            .database
            .perform_or(work, charge.clone(), |tx| async move {
                if let Some(existing) = store::lock(&tx, id).await? {
                    return Ok(existing);
                }
                for step in steps {
                    tx.expect(step.clone()).await?;
                }
                Ok(charge.clone())
            })
            .await?;
        self.look_later(&stands);
        self.repeated(stands, amount).await
    }

    /// A charge that waits for its payer has a time limit.
    fn look_later(&self, charge: &Charge) {
        if charge.due_time.is_some() {
            self.added.notify_one();
        }
    }

    /// Commits a charge before it is carried out; returns the existing one, if there is one.
    async fn arrive(&self, id: &str, amount: Money, script: Script) -> Result<Option<Charge>, Error> {
        let (state, delay) = match script.pace {
            Pace::Answered(after) => (State::Processing, after),
            Pace::Unanswered => (State::Processing, self.settings.late_after),
            Pace::Lost => (State::Underway, self.settings.lost_for),
        };
        let existing = self
            .database
            .transact("arrive", |tx| async move {
                let now = self.clock.now();
                let charge = Charge::arrive(id.to_owned(), amount, script, state, now + delay, now);
                if store::insert(&tx, &charge).await? { Ok(None) } else { store::lock(&tx, id).await }
            })
            .await?;
        if existing.is_none() && !delay.is_zero() {
            self.added.notify_one();
        }
        Ok(existing)
    }

    async fn repeated(&self, existing: Charge, amount: Money) -> Result<Charge, Status> {
        if existing.amount != amount {
            return Err(reused("charge_id").into());
        }
        if existing.is_known() { Ok(existing) } else { self.never(&existing.id).await }
    }

    /// The charge, after longer than any caller waits.
    async fn never(&self, id: &str) -> Result<Charge, Status> {
        tokio::time::sleep(NEVER).await;
        Ok(self.get(id).await?)
    }

    /// The charge of that id.
    pub async fn get(&self, id: &str) -> Result<Charge, Error> {
        store::find(self.database.read(), id).await?.filter(Charge::is_known).ok_or_else(|| unknown_charge(id))
    }

    /// Carries out a charge that is due, and returns it.
    async fn carry_out(&self, id: &str) -> Result<Charge, Error> {
        self.change(id, |charge, now| charge.carry_out(now, self.settings.action_time)).await
    }

    /// Does what the payer would do on their bank's page.
    pub async fn complete_action(&self, id: &str, approve: bool) -> Result<Charge, Error> {
        self.get(id).await?;
        self.change(id, |charge, _| charge.complete_action(approve)).await
    }

    async fn change(
        &self,
        id: &str,
        step: impl Fn(&mut Charge, Timestamp) -> (bool, Option<crate::domain::charge::Moved>),
    ) -> Result<Charge, Error> {
        let step = &step;
        let charge = self
            .database
            .transact("change_charge", |tx| async move {
                let now = self.clock.now();
                let mut charge = store::lock(&tx, id).await?.ok_or_else(|| unknown_charge(id))?;
                let (changed, moved) = step(&mut charge, now);
                if changed {
                    store::save(&tx, &mut charge).await?;
                }
                if let Some(moved) = moved {
                    tx.expect(store::moved(id, moved, charge.amount, now)).await?;
                }
                Ok(charge)
            })
            .await?;
        self.look_later(&charge);
        Ok(charge)
    }

    /// Refunds `amount` of a charge, once for each id.
    pub async fn refund(&self, charge: &str, id: &str, amount: Money) -> Result<Refund, Status> {
        let (refund, plan) = self
            .database
            .transact("refund", |tx| async move {
                let now = self.clock.now();
                let found = store::lock(&tx, charge).await?.filter(Charge::is_known);
                let mut found = found.ok_or_else(|| unknown_charge(charge))?;
                if let Some(refund) = store::refund(&*tx, charge, id).await? {
                    return if refund.amount == amount { Ok((refund, None)) } else { Err(reused("refund_id")) };
                }
                let plan = found.refund_plan;
                let due = if plan == RefundPlan::DoneUnanswered { now + self.settings.late_after } else { now };
                let refund = found.refund(id.to_owned(), amount, due, now).map_err(refused)?;
                store::save(&tx, &mut found).await?;
                store::insert_refund(&tx, &refund).await?;
                Ok((refund, Some(plan)))
            })
            .await?;
        match plan {
            None => Ok(refund),
            Some(RefundPlan::Done | RefundPlan::Decline) => Ok(self.carry_out_refund(charge, id).await?),
            Some(RefundPlan::DoneUnanswered) => {
                self.added.notify_one();
                tokio::time::sleep(NEVER).await;
                Ok(self.get_refund(charge, id).await?)
            }
        }
    }

    /// The refund of that charge and id, as it stands.
    pub async fn get_refund(&self, charge: &str, id: &str) -> Result<Refund, Error> {
        store::refund(self.database.read(), charge, id).await?.ok_or_else(|| unknown_refund(id))
    }

    /// Carries out a refund that is due, and returns it.
    async fn carry_out_refund(&self, charge: &str, id: &str) -> Result<Refund, Error> {
        self.database
            .transact("carry_out_refund", |tx| async move {
                let now = self.clock.now();
                let mut found = store::lock(&tx, charge).await?.ok_or_else(|| unknown_charge(charge))?;
                let mut refund = store::refund(&*tx, charge, id).await?.ok_or_else(|| unknown_refund(id))?;
                let (changed, moved) = found.carry_out_refund(&mut refund, now).map_err(sums)?;
                if changed {
                    store::save(&tx, &mut found).await?;
                    store::save_refund(&tx, &refund).await?;
                }
                if let Some(moved) = moved {
                    tx.expect(store::moved(charge, moved, refund.amount, now)).await?;
                }
                Ok(refund)
            })
            .await
    }

    /// Starts the loop that carries out what is due later.
    pub fn start(self: Arc<Self>, background: &Background) {
        let task = Task::new("provider", "late", MAX_PAUSE).retries(FIRST_PAUSE, MAX_PAUSE);
        task.woken_by(self.added.clone()).start(background, move || {
            let app = self.clone();
            async move {
                let next = app.carry_out_due().await?;
                let rest =
                    |next: Timestamp| Duration::try_from(next.duration_since(app.clock.now())).unwrap_or_default();
                Ok(next.map_or(Turn::Idle, |next| Turn::IdleFor(rest(next))))
            }
        });
    }

    /// Carries out everything that is due, and returns when the next charge or refund is due.
    pub async fn carry_out_due(&self) -> Result<Option<Timestamp>, Error> {
        let charges = store::next_charges(self.database.read(), BATCH).await?;
        let refunds = store::next_refunds(self.database.read(), BATCH).await?;
        let now = self.clock.now();
        let mut next = None;
        let mut is_due = |due: Timestamp| {
            if due > now {
                next = Some(next.map_or(due, |next: Timestamp| next.min(due)));
            }
            due <= now
        };
        for (id, due) in charges {
            if is_due(due) {
                self.carry_out(&id).await?;
            }
        }
        for (charge, id, due) in refunds {
            if is_due(due) {
                self.carry_out_refund(&charge, &id).await?;
            }
        }
        Ok(next)
    }
}

fn unknown_charge(id: &str) -> Error {
    Refusal::new(reasons::CHARGE_NOT_FOUND, format!("no charge {id} has reached the provider")).into()
}

fn unknown_refund(id: &str) -> Error {
    Refusal::new(reasons::REFUND_NOT_FOUND, format!("no refund {id} has reached the provider")).into()
}

fn reused(field: &str) -> Error {
    Refusal::new(Reason::REQUEST_ID_REUSED, format!("the {field} stands for another amount")).into()
}

fn unknown_token() -> Error {
    let mut refusal = Refusal::new(Reason::INVALID_FIELDS, "the provider does not know this token")
        .hint(format!("send one of {}", TOKENS.join(", ")));
    refusal.violations.push(("token".to_owned(), format!("is none of {}", TOKENS.join(", "))));
    refusal.into()
}

fn refused(error: RefundError) -> Error {
    let what = format!("the charge cannot be refunded: {error}");
    match error {
        RefundError::NotCharged(state) => {
            Refusal::new(Reason::ILLEGAL_TRANSITION, what).with("from", state.name()).with("to", "REFUNDED")
        }
        RefundError::Exceeds { left } => Refusal::new(reasons::REFUND_EXCEEDS_PAYMENT, what).with("left", left),
        RefundError::Amount(_) => Refusal::new(Reason::CURRENCY_MISMATCH, what),
    }
    .into()
}

fn sums(error: MoneyError) -> Error {
    Error::Internal(format!("the sums of a charge do not add up: {error}"))
}
