//! The state machine of a payment, as pure functions.
//!
//! ```text
//!   (none) ──create──► PENDING ──────────► APPROVED ──► PARTLY_REFUNDED ──► REFUNDED
//!     │                  │  │ │               ▲
//!     │                  │  │ └► ACTION_REQUIRED ─┐
//!     │                  │  └─► DECLINED ◄────────┤
//!     └──void (tombstone)┴─────► VOIDED  ◄────────┘
//! ```
//!
//! Nothing here knows a clock, a database or a provider, so that a search can visit every interleaving.

/// The state of a payment.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The provider was called, or is about to be; the outcome is unknown.
    Pending,
    /// The payer has to act on the provider's page first.
    ActionRequired,
    /// The money is taken.
    Approved,
    /// The provider refused; no money is taken. Final.
    Declined,
    /// Voided before it was approved. Final: if money is taken nevertheless, it is refunded, and no approval is published.
    Voided,
    /// A part of the money is given back.
    PartlyRefunded,
    /// All of the money is given back.
    Refunded,
}

impl State {
    /// The state's name, the same in proto and SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether the provider's answer is still awaited.
    pub const fn is_unsettled(self) -> bool {
        matches!(self, Self::Pending | Self::ActionRequired)
    }

    /// Whether money was taken and may be given back.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Approved | Self::PartlyRefunded | Self::Refunded)
    }
}

/// The facts that decide which transitions are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Standing {
    /// The payment's state.
    pub state: State,
    /// How many calls may have reached the provider and may still take money. Zero: only a new call can take money.
    pub calls: u32,
}

/// A provider's answer about a payment, from any call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Heard {
    /// The money is taken.
    Charged,
    /// Refused, finally.
    Declined,
    /// The payer has to act first.
    ActionRequired,
    /// The provider has it and has not decided.
    Processing,
    /// The provider does not know the charge, and the last call began so long ago that it counts as lost.
    Lost,
    /// The call that could have taken money surely had no effect.
    NotSent,
    /// Unknown: no answer, an unreadable answer, or "unknown charge" while a call may still be in transit.
    Unknown,
}

impl Heard {
    /// All answers.
    pub const ALL: [Self; 7] = [
        Self::Charged,
        Self::Declined,
        Self::ActionRequired,
        Self::Processing,
        Self::Lost,
        Self::NotSent,
        Self::Unknown,
    ];
}

/// The decision of CreatePayment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnCreate {
    /// Commits the payment as PENDING with its first call, and calls.
    Insert,
    /// Commits one call more, and calls under the same key: the provider charges a key once.
    CallAgain,
    /// Answers with the payment as it is.
    Answer,
    /// Refuses: the payment was voided.
    Refuse,
}

/// Decides what CreatePayment does, given the payment of its id.
pub const fn create(existing: Option<Standing>) -> OnCreate {
    match existing {
        None => OnCreate::Insert,
        Some(standing) => match standing.state {
            State::Pending | State::ActionRequired => OnCreate::CallAgain,
            State::Voided => OnCreate::Refuse,
            State::Approved | State::Declined | State::PartlyRefunded | State::Refunded => OnCreate::Answer,
        },
    }
}

/// The decision of VoidPayment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnVoid {
    /// Creates a VOIDED payment if there is none, so that a late CreatePayment is refused.
    Tombstone,
    /// The payment becomes VOIDED.
    Void,
    /// Answers with the payment as it is.
    Answer,
}

/// Decides what VoidPayment does, given the payment of its name.
pub const fn void(existing: Option<Standing>) -> OnVoid {
    match existing {
        None => OnVoid::Tombstone,
        Some(standing) if standing.state.is_unsettled() => OnVoid::Void,
        Some(_) => OnVoid::Answer,
    }
}

/// The transition that an answer causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// None: the answer is known already, or says nothing new.
    Nothing,
    /// The payment changes its state, and an event is published.
    Become(State),
    /// The one call had no effect: the payment is as if it had never been called.
    NeverCalled,
    /// A voided payment was charged: the charge is booked and refunded, and no event is published.
    BookAndReverse,
    /// A voided payment can not be charged any more: recovery stops asking about it.
    StopAsking,
    /// The provider contradicts its earlier answer. This must not happen, and needs a person.
    Contradiction,
}

/// Decides the transition for an answer, in any order of calls, answers and voids.
pub const fn record(now: Standing, heard: Heard) -> Recorded {
    match (now.state, heard) {
        (State::Pending | State::ActionRequired, Heard::Charged) => Recorded::Become(State::Approved),
        (State::Pending | State::ActionRequired, Heard::Declined) => Recorded::Become(State::Declined),
        (State::Pending, Heard::ActionRequired) => Recorded::Become(State::ActionRequired),
        // If the call arrives nevertheless, the payment is voided and the charge is reversed.
        (State::Pending, Heard::Lost) => Recorded::Become(State::Voided),
        // Only if no other call may have been sent, because one call's outcome says nothing about another's.
        (State::Pending, Heard::NotSent) if now.calls == 1 => Recorded::NeverCalled,
        // A voided payment without open calls was charged before, and is being reversed.
        (State::Voided, Heard::Charged) if now.calls > 0 => Recorded::BookAndReverse,
        (State::Voided, Heard::Declined) if now.calls > 0 => Recorded::StopAsking,
        (State::Voided, Heard::NotSent) if now.calls == 1 => Recorded::StopAsking,
        (State::Approved | State::PartlyRefunded | State::Refunded, Heard::Declined)
        | (State::Declined, Heard::Charged) => Recorded::Contradiction,
        // Answers that came after a later one, and answers that say nothing.
        (
            State::Pending | State::ActionRequired | State::Voided,
            Heard::ActionRequired
            | Heard::Processing
            | Heard::Lost
            | Heard::NotSent
            | Heard::Unknown
            | Heard::Charged
            | Heard::Declined,
        )
        | (
            State::Approved | State::PartlyRefunded | State::Refunded,
            Heard::Charged | Heard::ActionRequired | Heard::Processing | Heard::Lost | Heard::NotSent | Heard::Unknown,
        )
        | (
            State::Declined,
            Heard::Declined | Heard::ActionRequired | Heard::Processing | Heard::Lost | Heard::NotSent | Heard::Unknown,
        ) => Recorded::Nothing,
    }
}

impl Standing {
    /// A payment as it is committed before its first call.
    pub const FIRST_CALL: Self = Self { state: State::Pending, calls: 1 };
    /// A payment that was voided before it was created.
    pub const TOMBSTONE: Self = Self { state: State::Voided, calls: 0 };

    /// The same with one more call.
    #[must_use]
    pub const fn called_again(self) -> Self {
        Self { calls: self.calls.saturating_add(1), ..self }
    }

    /// The facts after a void.
    #[must_use]
    pub const fn voided(self) -> Self {
        Self { state: State::Voided, ..self }
    }

    /// The facts after a transition.
    #[must_use]
    pub const fn after(self, recorded: Recorded) -> Self {
        match recorded {
            Recorded::Nothing | Recorded::Contradiction => self,
            Recorded::Become(state) => Self { state, ..self },
            Recorded::NeverCalled | Recorded::BookAndReverse | Recorded::StopAsking => Self { calls: 0, ..self },
        }
    }
}

/// The state of a paid payment of which `refunded` out of `amount` minor units went back.
pub const fn refunded(amount: i64, refunded: i64) -> State {
    if refunded == 0 {
        State::Approved
    } else if refunded < amount {
        State::PartlyRefunded
    } else {
        State::Refunded
    }
}
