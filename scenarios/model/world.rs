//! One case in the world: what stands in reservation, in payment and at the provider, who is at work, and what was told.

use mesh::checkout::machine::{Mode, Outcome, Standing as Case};
use payment::domain::machine::{Standing as Payment, State as PayState};

pub const CRASHES: u8 = 2;
pub const JOINS: u8 = 1;
pub const MAX_THREADS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    Nothing,
    Charged,
    Declined,
    Refunded,
}

/// What the provider said, on its way into payment's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Says {
    Charged,
    Declined,
}

/// Somebody at work. A crash of its process removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thread {
    /// Reservation's handler is about to call payment for an attempt, having counted so many calls for it.
    Call(u8, u8),
    /// It waits for payment's answer.
    Wait(u8, u8),
    /// It has an answer to apply, to the case as it wrote it.
    Handler(u8, u8, Known),
    /// Payment has received CreatePayment.
    Create(u8),
    /// It has committed, and calls the provider.
    AtProvider(u8),
    /// It has the provider's answer to write down.
    Record(u8, Says),
    /// A call to the provider is on its way though nobody waits for it.
    Late(u8),
    /// The sweeper asks about an attempt.
    Ask(u8),
    /// The sweeper has an answer to apply.
    Sweeper(u8, Known),
    /// Payment has received VoidPayment.
    Void(u8),
}

/// An outcome that can be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Known {
    Approved,
    Declined,
    Voided,
    NotSent,
}

impl From<Known> for Outcome {
    fn from(known: Known) -> Self {
        match known {
            Known::Approved => Self::Approved,
            Known::Declined => Self::Declined,
            Known::Voided => Self::Voided,
            Known::NotSent => Self::NotSent,
        }
    }
}

/// Events of payment and requests for a refund, by attempt: once published they come any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    Approved,
    Declined,
    Voided,
    RefundWanted,
    Refunded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub case: Option<Case>,
    pub mode: Mode,
    pub expired: bool,
    pub units: bool,
    pub payments: [Option<Payment>; 2],
    pub provider: [Provider; 2],
    pub told: u16,
    pub threads: [Option<Thread>; MAX_THREADS],
    pub crashes: u8,
    pub joins: u8,
    pub cancelled_once: bool,
    /// The policy gives nothing back.
    pub keeps_money: bool,
}

impl World {
    pub fn start(mode: Mode, keeps_money: bool) -> Self {
        Self {
            case: None,
            mode,
            expired: false,
            units: false,
            payments: [None; 2],
            provider: [Provider::Nothing; 2],
            told: 0,
            threads: [None; MAX_THREADS],
            // What the policy keeps has nothing to do with crashes: one of them is enough there.
            crashes: if keeps_money { CRASHES - 1 } else { CRASHES },
            joins: JOINS,
            cancelled_once: false,
            keeps_money,
        }
    }

    pub fn payment(&self, attempt: u8) -> Option<Payment> {
        self.payments[usize::from(attempt) - 1]
    }

    pub fn provider(&self, attempt: u8) -> Provider {
        self.provider[usize::from(attempt) - 1]
    }

    pub fn with_payment(mut self, attempt: u8, payment: Payment) -> Self {
        self.payments[usize::from(attempt) - 1] = Some(payment);
        self
    }

    /// The provider decides; a late call of the same key can do no more.
    pub fn decided(mut self, attempt: u8, provider: Provider) -> Self {
        self.provider[usize::from(attempt) - 1] = provider;
        self.without_all(Thread::Late(attempt))
    }

    pub fn tell(mut self, told: Told, attempt: u8) -> Self {
        self.told |= 1 << (told as u16 * 2 + u16::from(attempt) - 1);
        self
    }

    pub fn was_told(&self, told: Told, attempt: u8) -> bool {
        self.told & (1 << (told as u16 * 2 + u16::from(attempt) - 1)) != 0
    }

    pub fn was_told_of_a_refund(&self) -> bool {
        [1, 2].into_iter().any(|attempt| self.was_told(Told::RefundWanted, attempt))
    }

    pub fn threads(&self) -> impl Iterator<Item = Thread> + use<> {
        self.threads.into_iter().flatten()
    }

    /// Sweeps, voids and late calls that are identical do nothing that one would not.
    pub fn and(mut self, thread: Thread) -> Self {
        let repeatable = !matches!(
            thread,
            Thread::Call(..)
                | Thread::Wait(..)
                | Thread::Handler(..)
                | Thread::Create(_)
                | Thread::AtProvider(_)
                | Thread::Record(..)
        );
        if repeatable && self.threads().any(|other| other == thread) {
            return self;
        }
        let free = self.threads.iter().position(Option::is_none).expect("the bounds leave room for every thread");
        self.threads[free] = Some(thread);
        self.sorted()
    }

    pub fn without(mut self, thread: Thread) -> Self {
        if let Some(at) = self.threads.iter().position(|other| *other == Some(thread)) {
            self.threads[at] = None;
        }
        self.sorted()
    }

    pub fn without_all(mut self, thread: Thread) -> Self {
        for slot in &mut self.threads {
            if *slot == Some(thread) {
                *slot = None;
            }
        }
        self.sorted()
    }

    pub fn sorted(mut self) -> Self {
        self.threads.sort_unstable_by(|a, b| b.cmp(a));
        self
    }

    pub fn late(self, attempt: u8) -> Self {
        if self.provider(attempt) == Provider::Nothing { self.and(Thread::Late(attempt)) } else { self }
    }
}

pub fn attempt_number(case: &Case) -> u8 {
    u8::try_from(case.attempt).expect("two attempts at most")
}

pub fn known(payment: Option<Payment>) -> Option<Known> {
    match payment?.state {
        PayState::Approved | PayState::PartlyRefunded | PayState::Refunded => Some(Known::Approved),
        PayState::Declined => Some(Known::Declined),
        PayState::Voided => Some(Known::Voided),
        PayState::Pending | PayState::ActionRequired => None,
    }
}
