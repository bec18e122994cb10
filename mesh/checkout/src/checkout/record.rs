//! What every case keeps for its lifecycle, and what a context supplies: its hold, its words, its events.

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_foundation::{
    call::Actor,
    error::{Error, Reason},
    event::Event,
    fields,
    money::Money,
    types::PaymentAction,
};
use mesh_store::db::{Step, Tx};
use sea_orm::EntityTrait;
use uuid::Uuid;

use super::{
    cancellation::{By, Cancellation, Closing},
    machine::{Fact, Mode, Standing, State},
    reserve::Reserves,
    store::{NewRow, Row},
};

/// The columns of a case that its lifecycle needs. A context's aggregate holds one of these beside what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The resource name, as in `reservations/…`.
    pub name: String,
    /// Rises by one with every change; an event carries the version after it.
    pub version: i64,
    /// Where the case stands.
    pub standing: Standing,
    /// The business case's correlation id, on all of its events.
    pub correlation_id: String,
    /// Who pays: `users/…`.
    pub payer: String,
    /// Who is paid: `users/…`.
    pub payee: String,
    /// What is paid.
    pub total: Money,
    /// When the payee has earned it.
    pub earn_time: Timestamp,
    /// Until when the hold can be paid.
    pub hold_expire_time: Timestamp,
    /// When the sweeper looks at it next; `None` when it is settled.
    pub next_attempt_time: Option<Timestamp>,
    /// How often the sweeper has looked since the last change.
    pub sweeps: u32,
    /// The provider's label of what it was paid with, as in `visa 4242`.
    pub payment_label: Option<String>,
    /// When it was paid.
    pub pay_time: Option<Timestamp>,
    /// What the payer has to do before the open attempt can be approved.
    pub payment_action: Option<PaymentAction>,
    /// Why the newest attempt came to nothing.
    pub reject_reason: Option<String>,
    /// Why the refund of the cancellation failed.
    pub refund_failure_reason: Option<String>,
    /// By whom it was cancelled, and why.
    pub cancellation: Option<Cancellation>,
    /// What the customer said when cancelling.
    pub cancel_reason: Option<String>,
    /// What the cancellation gives back, computed when it was asked for.
    pub refund_amount: Option<Money>,
    /// When it was confirmed.
    pub confirm_time: Option<Timestamp>,
    /// When the cancellation was asked for.
    pub cancel_time: Option<Timestamp>,
    /// One bit for each attempt whose orphaned approval was asked to be refunded (rule O: once).
    pub orphans: i64,
    /// What the customer says of the case on the telephone.
    pub confirmation_code: String,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// The terms on which a case begins.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The collection that the case is in, as in `reservations`.
    pub collection: &'static str,
    /// The case's id.
    pub id: Uuid,
    /// How it comes in.
    pub mode: Mode,
    /// The business case.
    pub correlation_id: String,
    /// Who pays.
    pub payer: String,
    /// Who is paid.
    pub payee: String,
    /// What is paid.
    pub total: Money,
    /// When the payee has earned it.
    pub earn_time: Timestamp,
}

impl Record {
    /// The record of a case that begins now; [`Checkout`](super::Checkout) fills in its times.
    pub fn begin(terms: Terms, now: Timestamp) -> Self {
        Self {
            name: fields::name(terms.collection, terms.id),
            version: 1,
            standing: Standing::held(terms.mode),
            correlation_id: terms.correlation_id,
            payer: terms.payer,
            payee: terms.payee,
            total: terms.total,
            earn_time: terms.earn_time,
            hold_expire_time: now,
            next_attempt_time: None,
            sweeps: 0,
            payment_label: None,
            pay_time: None,
            payment_action: None,
            reject_reason: None,
            refund_failure_reason: None,
            cancellation: None,
            cancel_reason: None,
            refund_amount: None,
            confirm_time: None,
            cancel_time: None,
            orphans: 0,
            confirmation_code: confirmation_code(terms.id),
            create_time: now,
            update_time: now,
        }
    }

    /// Where the case is.
    pub fn state(&self) -> State {
        self.standing.state
    }

    /// Whether the hold's time is over at `now`.
    pub fn past_expiry(&self, now: Timestamp) -> bool {
        now >= self.hold_expire_time
    }

    /// The payment of the newest attempt; none before the first.
    pub fn payment(&self) -> Option<String> {
        (self.standing.attempt > 0).then(|| payment_name(&self.name, self.standing.attempt))
    }

    /// The payment that made the case what it is, to be shown: none until an attempt was approved.
    pub fn approved_payment(&self) -> Option<String> {
        self.pay_time.and_then(|_| self.payment())
    }
}

/// The payment of a case's attempt: derived, so that whoever asks for it, however often, asks for the same one.
pub fn payment_name(case: &str, attempt: u32) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("jumak:{case}:payment:{attempt}").as_bytes());
    format!("payments/{id}")
}

/// The refund that a case's payment gets for its one cancellation, or for being orphaned.
pub fn refund_id(payment: &str) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("jumak:{payment}:refund").as_bytes());
    id.to_string()
}

/// Letters and digits that nobody mishears or misreads.
const CODE_ALPHABET: &[u8; 28] = b"23456789ABCDEFGHJKMNPQRTVWXY";
const CODE_LETTERS: usize = 8;

/// Drawn from the random half of the id, so that it needs no place of its own to be unique enough for a telephone.
fn confirmation_code(id: Uuid) -> String {
    let mut random = id.as_u128() & ((1 << 62) - 1);
    let mut code = String::with_capacity(CODE_LETTERS);
    for _ in 0..CODE_LETTERS {
        let letter = usize::try_from(random % CODE_ALPHABET.len() as u128).unwrap_or(0);
        code.push(char::from(CODE_ALPHABET[letter]));
        random /= CODE_ALPHABET.len() as u128;
    }
    code
}

/// An aggregate with a lifecycle.
pub trait Case: Clone + Send + Sync + 'static {
    /// Its lifecycle's columns.
    fn record(&self) -> &Record;
    /// Its lifecycle's columns, to be changed.
    fn record_mut(&mut self) -> &mut Record;
    /// What cancelling at `now` gives back, by the policy frozen on the case.
    fn refund_at(&self, now: Timestamp) -> Money;
    /// Whether it can be said at `now` that the guest did not come. Never before they have had all the time that they had for coming;
    /// and only for so long after it that nobody says it of a guest who is there.
    fn may_be_no_show(&self, now: Timestamp) -> bool;
    /// Whether `by` can still cancel it at `now`, while it is CONFIRMED.
    fn closing(&self, by: By, now: Timestamp) -> Closing;
}

/// Whose cases a caller may find. The owner stands in the WHERE clause: another's case is not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's: the context itself, an agent.
    All,
    /// Those that this user pays for.
    Payer(String),
    /// Those that this user pays for or is paid for.
    Party(String),
}

/// A case whose next look is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The case.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when its hold can be paid.
    pub hold_expire_time: Timestamp,
    /// How often the sweeper has looked since the last change.
    pub sweeps: u32,
}

/// What a context supplies: its table, its hold, its words and its events. The statements on the table are those of
/// [`store`](super::store).
#[async_trait]
pub trait Cases: Sized + Send + Sync + 'static {
    /// The aggregate.
    type Case: Case;
    /// The table of cases, as [`case_table`](crate::case_table) declares it.
    type Table: EntityTrait<Model: Send + Sync, ActiveModel: Send + Sync>;

    /// The context, as in `reservation`.
    const CONTEXT: &'static str;
    /// The collection that its cases are in, as in `reservations`.
    const COLLECTION: &'static str;
    /// What one case is called in messages and error metadata, as in `reservation`.
    const WORD: &'static str;
    /// The reason of the refusal for a case that is not there.
    const NOT_FOUND: Reason;
    /// The RPC that lists a caller's cases, as in `ListReservations`.
    const LIST: &'static str;

    /// The context's own columns of a case's row; the store sets the lifecycle's. A number that no column holds is an error.
    fn to_row(case: &Self::Case) -> Result<NewRow<Self>, Error>;
    /// The case of a row whose lifecycle's columns are read already.
    fn from_row(row: Row<Self>, record: Record) -> Result<Self::Case, Error>;
    /// Who holds the units, if it is another context (rule H).
    fn reserves(&self) -> Option<&dyn Reserves<Self::Case>> {
        None
    }
    /// The statements that take the case's units: each with the number of rows that it touches if the units are there, and if what the
    /// case was made from, like a price, still stands.
    fn take(&self, case: &Self::Case) -> Vec<Step>;
    /// After [`take`](Self::take) fell short: whether what the case was made from still stands. Changes nothing.
    async fn still_stands(&self, tx: &Tx, case: &Self::Case) -> Result<bool, Error>;
    /// After [`take`](Self::take) fell short: adds the rows that it misses, or refuses and says which units are not there.
    async fn make_ready(&self, tx: &Tx, case: &Self::Case) -> Result<(), Error>;
    /// The statements that give the case's units back.
    fn give_back(&self, case: &Self::Case) -> Vec<Step>;
    /// What is told when `fact` has become true; `case` is as it is after it. An error for a fact that never comes about here: CancelAsked
    /// and CancelRefused, if nobody but the case decides whether it can be cancelled.
    fn event(&self, case: &Self::Case, fact: Fact, actor: &Actor) -> Result<Event, Error>;
    /// The case as the resource that is answered with, encoded.
    fn answer(&self, case: &Self::Case) -> Vec<u8>;
}
