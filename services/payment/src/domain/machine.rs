//! Where a payment can go, as pure functions on what little decides it.
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

/// Where a payment stands.
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
    /// The provider was asked, or is about to be; what came of it is not known.
    Pending,
    /// The payer has to do something at the provider's page first.
    ActionRequired,
    /// The money is taken.
    Approved,
    /// The provider refused; no money is taken. Final.
    Declined,
    /// Called off before it was approved. Final: money that is taken all the same goes back, and nobody is told of an approval.
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

/// All that decides what can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Standing {
    /// Where the payment is.
    pub state: State,
    /// How many calls may have reached the provider with nobody knowing yet that they can do no more. Zero: no money can come but
    /// by a new call.
    pub calls: u32,
}

/// What is heard of a payment, from whichever call to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Heard {
    /// The money is taken.
    Charged,
    /// Refused, finally.
    Declined,
    /// The payer has to do something first.
    ActionRequired,
    /// The provider has it and has not decided.
    Processing,
    /// The provider has never heard of it, though the last call began so long ago that it is taken for lost.
    Lost,
    /// The call itself, by which money could have been taken, surely had no effect.
    NotSent,
    /// Nothing is known: no answer, an answer nobody can read, or "never heard of it" while a call may still be on its way.
    Unknown,
}

impl Heard {
    /// Everything that can be heard.
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

/// What CreatePayment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnCreate {
    /// Commits the payment as PENDING with its first call, and calls.
    Insert,
    /// Commits one call more, and calls under the same key: the provider charges a key once.
    CallAgain,
    /// Answers the payment as it stands.
    Answer,
    /// Refuses: the payment was voided.
    Refuse,
}

/// What CreatePayment does with what it finds under its id.
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

/// What VoidPayment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnVoid {
    /// Leaves a VOIDED payment where there was none, so that a CreatePayment that is late is refused.
    Tombstone,
    /// The payment becomes VOIDED.
    Void,
    /// Answers the payment as it stands.
    Answer,
}

/// What VoidPayment does with what it finds under its name.
pub const fn void(existing: Option<Standing>) -> OnVoid {
    match existing {
        None => OnVoid::Tombstone,
        Some(standing) if standing.state.is_unsettled() => OnVoid::Void,
        Some(_) => OnVoid::Answer,
    }
}

/// What is written down of what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// Nothing: it is known, or says nothing new.
    Nothing,
    /// The payment changes its state, and that is told.
    Become(State),
    /// The one call had no effect: the payment stands as if it had never been called.
    NeverCalled,
    /// A voided payment was charged: book it, and give it back. Nobody is told.
    BookAndReverse,
    /// A voided payment can no more be charged: stop asking about it.
    StopAsking,
    /// The provider said one thing and now says the opposite. It must not happen, and a person has to look.
    Contradiction,
}

/// What is written down when something is heard of a payment, in whatever order calls, answers and voids arrive.
pub const fn record(now: Standing, heard: Heard) -> Recorded {
    match (now.state, heard) {
        (State::Pending | State::ActionRequired, Heard::Charged) => Recorded::Become(State::Approved),
        (State::Pending | State::ActionRequired, Heard::Declined) => Recorded::Become(State::Declined),
        (State::Pending, Heard::ActionRequired) => Recorded::Become(State::ActionRequired),
        // Should the call arrive after all, it finds a voided payment behind it and is reversed.
        (State::Pending, Heard::Lost) => Recorded::Become(State::Voided),
        // Only if no other call may have been sent: what is known of one call says nothing of another.
        (State::Pending, Heard::NotSent) if now.calls == 1 => Recorded::NeverCalled,
        // A voided payment whose calls are all accounted for was charged before, and is being reversed.
        (State::Voided, Heard::Charged) if now.calls > 0 => Recorded::BookAndReverse,
        (State::Voided, Heard::Declined) if now.calls > 0 => Recorded::StopAsking,
        (State::Voided, Heard::NotSent) if now.calls == 1 => Recorded::StopAsking,
        (State::Approved | State::PartlyRefunded | State::Refunded, Heard::Declined)
        | (State::Declined, Heard::Charged) => Recorded::Contradiction,
        // Answers that were overtaken by a later one, and those that say nothing.
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
    /// A payment that was voided before it was asked for.
    pub const TOMBSTONE: Self = Self { state: State::Voided, calls: 0 };

    /// The same with one call more.
    #[must_use]
    pub const fn called_again(self) -> Self {
        Self { calls: self.calls.saturating_add(1), ..self }
    }

    /// What stands after a void that is one.
    #[must_use]
    pub const fn voided(self) -> Self {
        Self { state: State::Voided, ..self }
    }

    /// What stands after something was written down.
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
