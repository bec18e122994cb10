//! The lifecycle as pure functions: what stands, what happened, what follows.
//!
//! Nothing here knows a database, a clock or a network, so that a search can visit every interleaving. The names of the rules are
//! those of the table in [`checkout`](crate::checkout).

/// Where a case is. What the states of the context's resource are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The units are held; it is not paid.
    Pending,
    /// Paid.
    Confirmed,
    /// Cancelled by the customer, the units given back; the refund is on its way.
    CancelRequested,
    /// Ended by the customer; what was to be refunded is refunded.
    Cancelled,
    /// Ended because it could not be paid.
    Rejected,
    /// Ended because nobody paid in time.
    Expired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Confirmed, Self::CancelRequested, Self::Cancelled, Self::Rejected, Self::Expired];

    /// The state's name, the same in proto and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::CancelRequested => "CANCEL_REQUESTED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a case in this state holds units.
    pub const fn holds_units(self) -> bool {
        matches!(self, Self::Pending | Self::Confirmed)
    }

    /// Whether nothing can follow any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Rejected | Self::Expired)
    }
}

/// How the case came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Created with a payment method: confirmed, or refused with the units back at once.
    AllOrNothing,
    /// Created without one: held until it is paid or the hold expires.
    Hold,
}

/// All that decides what can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Where the case is.
    pub state: State,
    /// How it came in.
    pub mode: Mode,
    /// The number of the newest payment attempt; 0 when there was none.
    pub attempt: u32,
    /// Whether that attempt may still be approved.
    pub attempt_open: bool,
    /// How many calls for that attempt may have been sent. What is known of one call says nothing of another.
    pub calls: u32,
    /// Whether that attempt was approved and the case confirmed by it.
    pub paid: bool,
    /// Whether the customer asked to cancel while it was PENDING (rule C), or while it was CONFIRMED and somebody else decides whether it
    /// still can be (rule K).
    pub cancel_asked: bool,
}

impl Standing {
    /// A case that has just taken its hold; an all-or-nothing case has its first attempt open.
    pub const fn held(mode: Mode) -> Self {
        let pays = matches!(mode, Mode::AllOrNothing);
        Self {
            state: State::Pending,
            mode,
            attempt: pays as u32,
            attempt_open: pays,
            calls: pays as u32,
            paid: false,
            cancel_asked: false,
        }
    }
}

/// What is known of a payment attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Paid.
    Approved,
    /// Refused by the provider, finally.
    Declined,
    /// Voided before it came about, finally.
    Voided,
    /// The one call that this is known of was surely not sent (rule N).
    NotSent,
    /// On its way, or nobody knows.
    Unknown,
}

/// Something that became true of a case, and is told as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The hold was taken.
    Held,
    /// It is paid.
    Confirmed,
    /// It could not be paid.
    Rejected,
    /// Nobody paid in time.
    Expired,
    /// The customer wants to cancel what somebody may have begun to carry out: they are asked (rule K).
    CancelAsked,
    /// It had been begun: the cancellation that was asked for does not come about.
    CancelRefused,
    /// The customer cancels; the refund is asked for.
    CancelRequested,
    /// The cancellation is complete.
    Cancelled,
    /// An approval of this attempt came for a case that has ended; its refund is asked for (rule O).
    RefundRequested(u32),
}

/// What becomes of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Units {
    /// They stay as they are.
    Keep,
    /// They are given back in the same commit.
    GiveBack,
}

/// What becomes of the requests that wait for the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requests {
    /// They go on waiting.
    Leave,
    /// The answer is final: it is stored.
    Answer,
    /// Nothing was decided for good: the same request id may try again.
    Free,
    /// The cancellation that was asked for is decided: the requests that wait for that are answered.
    AnswerCancel,
}

/// One transition: all of it is one commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What stands after it.
    pub after: Standing,
    /// What is told, in this order.
    pub facts: Vec<Fact>,
    /// What becomes of the units.
    pub units: Units,
    /// What becomes of the waiting requests.
    pub requests: Requests,
}

/// What follows from an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Settle {
    /// Nothing: it was known, or says nothing new.
    Nothing,
    /// A transition.
    Step(Step),
    /// Money came for a case that has ended: its refund is asked for, once.
    GiveBack,
}

/// What follows when `outcome` becomes known for `attempt`, by whatever way: handler, retry, event or sweeper.
pub fn settle(now: &Standing, attempt: u32, outcome: Outcome, past_expiry: bool) -> Settle {
    let current = now.state == State::Pending && now.attempt == attempt && now.attempt_open;
    match outcome {
        Outcome::Approved if current => Settle::Step(approved(now)),
        // Rule O. An earlier attempt's approval is as orphaned as one for a case that ended unpaid. The approval that confirmed the
        // case is not, however often and late it is heard, and whatever became of the case since.
        Outcome::Approved if attempt != now.attempt || (now.state.is_final() && !now.paid) => Settle::GiveBack,
        Outcome::Approved | Outcome::Unknown => Settle::Nothing,
        _ if !current => Settle::Nothing,
        Outcome::Declined | Outcome::Voided => {
            if now.cancel_asked {
                Settle::Step(end(now, State::Cancelled, Fact::Cancelled, Requests::Answer))
            } else if past_expiry {
                Settle::Step(end(now, State::Expired, Fact::Expired, Requests::Answer))
            } else if now.mode == Mode::AllOrNothing || outcome == Outcome::Voided {
                // Rule A: a voided call may still be charged for a moment, so no second attempt is opened beside it.
                Settle::Step(end(now, State::Rejected, Fact::Rejected, Requests::Answer))
            } else {
                // Another card may be tried on the same hold.
                Settle::Step(Step {
                    after: Standing { attempt_open: false, ..*now },
                    facts: Vec::new(),
                    units: Units::Keep,
                    requests: Requests::Answer,
                })
            }
        }
        // Rule N: another call for this attempt may have been sent, so nothing is known of the attempt.
        Outcome::NotSent if now.calls != 1 => Settle::Nothing,
        Outcome::NotSent if now.cancel_asked => {
            Settle::Step(end(now, State::Cancelled, Fact::Cancelled, Requests::Answer))
        }
        Outcome::NotSent if now.mode == Mode::AllOrNothing => {
            Settle::Step(end(now, State::Rejected, Fact::Rejected, Requests::Free))
        }
        // Rule A: the hold's attempt stays open, and paying again goes on under the same key.
        Outcome::NotSent => Settle::Step(Step {
            after: Standing { calls: 0, ..*now },
            facts: Vec::new(),
            units: Units::Keep,
            requests: Requests::Free,
        }),
    }
}

fn approved(now: &Standing) -> Step {
    let confirmed = Standing { state: State::Confirmed, attempt_open: false, paid: true, ..*now };
    if !now.cancel_asked {
        return Step { after: confirmed, facts: vec![Fact::Confirmed], units: Units::Keep, requests: Requests::Answer };
    }
    // Rule C: in one commit confirmed and cancelled, so that nobody begins to carry it out between the two.
    let cancel = cancel_confirmed(&confirmed);
    Step { facts: [vec![Fact::Confirmed], cancel.facts].concat(), requests: Requests::Answer, ..cancel }
}

fn end(now: &Standing, state: State, fact: Fact, requests: Requests) -> Step {
    Step { after: Standing { state, attempt_open: false, ..*now }, facts: vec![fact], units: Units::GiveBack, requests }
}

/// The units come back at once: a refund that fails must not block a bed.
fn cancel_confirmed(now: &Standing) -> Step {
    Step {
        after: Standing { state: State::CancelRequested, ..*now },
        facts: vec![Fact::CancelRequested],
        units: Units::GiveBack,
        requests: if now.cancel_asked { Requests::AnswerCancel } else { Requests::Leave },
    }
}

/// What follows when the customer cancels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cancel {
    /// A transition.
    Step(Step),
    /// It is cancelled or being cancelled: repeating it is harmless.
    AsItIs,
    /// It ended otherwise, and there is nothing to cancel.
    Refuse,
}

/// Who decides whether a CONFIRMED case can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judge {
    /// Nobody else: it is cancelled at once.
    Case,
    /// Whoever fulfils it, because they may have begun (rule K).
    Fulfilment,
}

/// What follows when the customer cancels.
pub fn cancel(now: &Standing, judge: Judge) -> Cancel {
    match now.state {
        State::Pending if now.attempt_open && now.cancel_asked => Cancel::AsItIs,
        State::Pending if now.attempt_open => Cancel::Step(Step {
            after: Standing { cancel_asked: true, ..*now },
            facts: Vec::new(),
            units: Units::Keep,
            requests: Requests::Leave,
        }),
        State::Pending => Cancel::Step(end(now, State::Cancelled, Fact::Cancelled, Requests::Leave)),
        State::Confirmed if judge == Judge::Fulfilment && now.cancel_asked => Cancel::AsItIs,
        State::Confirmed if judge == Judge::Fulfilment => Cancel::Step(Step {
            after: Standing { cancel_asked: true, ..*now },
            facts: vec![Fact::CancelAsked],
            units: Units::Keep,
            requests: Requests::Leave,
        }),
        // Also over what was asked before: this needs no judge.
        State::Confirmed => Cancel::Step(cancel_confirmed(now)),
        State::CancelRequested | State::Cancelled => Cancel::AsItIs,
        State::Rejected | State::Expired => Cancel::Refuse,
    }
}

/// What whoever fulfils a case says when they are asked to stop (rule K).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// They had not begun, and will not.
    Stopped,
    /// They had begun.
    Begun,
}

/// What follows from their verdict; `None` if nobody waits for one, because the case is not there to be cancelled, or was never asked to
/// be.
pub fn judged(now: &Standing, verdict: Verdict) -> Option<Step> {
    if now.state != State::Confirmed || !now.cancel_asked {
        return None;
    }
    Some(match verdict {
        Verdict::Stopped => cancel_confirmed(now),
        Verdict::Begun => Step {
            after: Standing { cancel_asked: false, ..*now },
            facts: vec![Fact::CancelRefused],
            units: Units::Keep,
            requests: Requests::AnswerCancel,
        },
    })
}

/// What follows when the customer pays for a case: what stands from the moment that payment is called, or `None` if the case is not
/// there to be paid. One attempt at a time: an open one goes on under its own key, and only a declined one makes room for the next.
pub fn pay(now: &Standing, past_expiry: bool) -> Option<Standing> {
    if now.state != State::Pending || now.cancel_asked || past_expiry {
        None
    } else if now.attempt_open {
        Some(Standing { calls: now.calls + 1, ..*now })
    } else {
        Some(Standing { attempt: now.attempt + 1, attempt_open: true, calls: 1, ..*now })
    }
}

/// What stands when a repeated request calls payment once more for the attempt that it waits for (rule R); `None` if there is nothing
/// to call for, and it is answered by what stands.
pub fn join(now: &Standing, attempt: u32) -> Option<Standing> {
    let waits = now.state == State::Pending && now.attempt_open && now.attempt == attempt && !now.cancel_asked;
    waits.then(|| Standing { calls: now.calls + 1, ..*now })
}

/// What a sweeper does first with a PENDING case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sweep {
    /// Nothing yet.
    Wait,
    /// Nobody is paying: it ends without asking anybody.
    End(Step),
    /// An attempt is open: payment is asked.
    Ask,
}

/// What a sweeper does first. Clocks choose only when to ask, never what is true (rule S).
pub fn sweep(now: &Standing, past_expiry: bool) -> Sweep {
    if now.state != State::Pending {
        Sweep::Wait
    } else if now.attempt_open {
        Sweep::Ask
    } else if now.cancel_asked {
        Sweep::End(end(now, State::Cancelled, Fact::Cancelled, Requests::Answer))
    } else if past_expiry {
        Sweep::End(end(now, State::Expired, Fact::Expired, Requests::Answer))
    } else {
        Sweep::Wait
    }
}

/// What payment answers when it is asked about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// There is no such payment.
    NoSuchPayment,
    /// It is not settled.
    Unsettled,
    /// It is settled: approved, declined or voided.
    Settled(Outcome),
}

/// What a sweeper does with payment's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThenDo {
    /// Applies it.
    Apply(Outcome),
    /// Voids the payment and obeys the answer to that: a call on its way must find the door closed before the units go.
    Void,
    /// Asks again later.
    AskAgain,
}

/// What a sweeper does with payment's answer.
pub fn after_asking(now: &Standing, asked: Asked, past_expiry: bool) -> ThenDo {
    match asked {
        Asked::Settled(outcome) => ThenDo::Apply(outcome),
        Asked::NoSuchPayment => ThenDo::Void,
        Asked::Unsettled if past_expiry || now.cancel_asked => ThenDo::Void,
        Asked::Unsettled => ThenDo::AskAgain,
    }
}

/// What follows when the refund of the cancellation has come about.
pub fn refunded(now: &Standing) -> Option<Step> {
    (now.state == State::CancelRequested).then(|| Step {
        after: Standing { state: State::Cancelled, ..*now },
        facts: vec![Fact::Cancelled],
        units: Units::Keep,
        requests: Requests::Leave,
    })
}
