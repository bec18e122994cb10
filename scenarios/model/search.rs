//! The search: everything that can happen next, and what follows from it by the product's own transition functions.

use mesh::checkout::machine::{
    self, Asked, Cancel, Fact, Judge, Mode, Outcome, Settle, Standing as Case, State as CaseState, Step, Sweep, ThenDo,
    Units,
};
use payment::domain::machine::{
    self as till, Heard, OnCreate, OnVoid, Recorded, Standing as Payment, State as PayState,
};

use super::{
    books::{is_at_rest, wrong},
    explore::explore,
    world::{Known, Provider, Says, Thread, Told, World, attempt_number, known},
};

/// A rule that a search leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    Nothing,
    LateApprovalRefunded,
    OneAttemptAtATime,
    UnitsBackOnCancel,
    CommitBeforeProvider,
    VoidReversed,
    VoidEndsTheCase,
    NotSentKeepsTheAttemptOpen,
    EveryCallIsCounted,
    TheApprovalThatPaidIsNoOrphan,
    TheUpdateIsConditional,
    /// Two at once: the second rule is the net below the first.
    EveryCallIsCountedAndLateApprovalRefunded,
}

/// The search, with one rule left out or none.
pub struct Search {
    /// The rule.
    pub left_out: LeftOut,
}

impl Search {
    fn without(&self, rule: LeftOut) -> bool {
        let both = self.left_out == LeftOut::EveryCallIsCountedAndLateApprovalRefunded;
        self.left_out == rule || both && matches!(rule, LeftOut::EveryCallIsCounted | LeftOut::LateApprovalRefunded)
    }

    /// What the lifecycle's transition does to the world.
    fn take(&self, mut world: World, step: &Step) -> World {
        world.case = Some(step.after);
        let cancelling = step.facts.contains(&Fact::CancelRequested);
        if step.units == Units::GiveBack && !(cancelling && self.without(LeftOut::UnitsBackOnCancel)) {
            world.units = false;
        }
        if cancelling && world.keeps_money {
            // Nothing to give back: complete at once, and payment is not asked.
            world.case = Some(Case { state: CaseState::Cancelled, ..step.after });
        } else if cancelling {
            world = world.tell(Told::RefundWanted, attempt_number(&step.after));
        }
        world
    }

    /// A handler applies an answer to the case as it wrote it when it counted its call. Nothing is committed unless the case is still so;
    /// otherwise what stands decides.
    fn settle_as_written(&self, world: World, attempt: u8, calls: u8, outcome: Outcome) -> World {
        let written =
            Case { attempt: attempt.into(), attempt_open: true, calls: calls.into(), ..Case::held(world.mode) };
        let is_step = matches!(machine::settle(&written, attempt.into(), outcome, world.expired), Settle::Step(_));
        if is_step && (world.case == Some(written) || self.without(LeftOut::TheUpdateIsConditional)) {
            self.settle(World { case: Some(written), ..world }, attempt, outcome)
        } else {
            self.settle(world, attempt, outcome)
        }
    }

    fn settle(&self, world: World, attempt: u8, outcome: Outcome) -> World {
        let Some(case) = world.case else { return world };
        let current = case.state == CaseState::Pending && case.attempt == u32::from(attempt) && case.attempt_open;
        if current && world.mode == Mode::Hold && !world.expired && !case.cancel_asked {
            let forgets_void = self.without(LeftOut::VoidEndsTheCase) && outcome == Outcome::Voided;
            let forgets_open = self.without(LeftOut::NotSentKeepsTheAttemptOpen) && outcome == Outcome::NotSent;
            if forgets_void || forgets_open {
                return World { case: Some(Case { attempt_open: false, ..case }), ..world };
            }
        }
        let case = match outcome {
            Outcome::NotSent if self.without(LeftOut::EveryCallIsCounted) => Case { calls: case.calls.min(1), ..case },
            Outcome::Approved if self.without(LeftOut::TheApprovalThatPaidIsNoOrphan) => Case { paid: false, ..case },
            _ => case,
        };
        match machine::settle(&case, u32::from(attempt), outcome, world.expired) {
            Settle::Step(step) => self.take(world, &step),
            Settle::GiveBack if self.without(LeftOut::LateApprovalRefunded) => world,
            Settle::GiveBack => world.tell(Told::RefundWanted, attempt),
            Settle::Nothing => world,
        }
    }

    /// Payment writes down what it heard.
    fn record(&self, world: World, attempt: u8, heard: Heard) -> World {
        let Some(now) =
            world.payment(attempt).or(self.without(LeftOut::CommitBeforeProvider).then_some(Payment::FIRST_CALL))
        else {
            return world;
        };
        let recorded = till::record(now, heard);
        assert_ne!(recorded, Recorded::Contradiction, "the provider contradicts itself");
        if recorded == Recorded::Nothing {
            return world;
        }
        let world = world.with_payment(attempt, now.after(recorded));
        match recorded {
            Recorded::Become(PayState::Approved) => world.tell(Told::Approved, attempt),
            Recorded::Become(PayState::Declined) => world.tell(Told::Declined, attempt),
            Recorded::Become(PayState::Voided) => world.tell(Told::Voided, attempt),
            Recorded::BookAndReverse => world.decided(attempt, Provider::Refunded),
            _ => world,
        }
    }

    /// Payment answers whoever waits, with the payment as it stands.
    fn reply(&self, world: World, attempt: u8) -> World {
        // Of several the first: whose knowledge of the case is the oldest.
        let waits = world.threads().filter_map(|thread| match thread {
            Thread::Wait(of, calls) if of == attempt => Some(calls),
            _ => None,
        });
        let Some(calls) = waits.min() else { return world };
        let answered = match world.payment(attempt) {
            Some(Payment { state: PayState::Approved | PayState::PartlyRefunded | PayState::Refunded, .. }) => {
                Known::Approved
            }
            Some(Payment { state: PayState::Declined, .. }) => Known::Declined,
            Some(Payment { state: PayState::Voided, .. }) => Known::Voided,
            // Surely not sent, and no earlier call either.
            Some(Payment { state: PayState::Pending, calls: 0 }) => Known::NotSent,
            // Still open: as good as no answer.
            _ => return world.without(Thread::Wait(attempt, calls)),
        };
        world.without(Thread::Wait(attempt, calls)).and(Thread::Handler(attempt, calls, answered))
    }

    /// Everything that can happen next, by name.
    fn next(&self, world: &World) -> Vec<(&'static str, World)> {
        let mut next = Vec::with_capacity(16);
        self.guest(world, &mut next);
        self.sweeper(world, &mut next);
        let mut last = None;
        for thread in world.threads() {
            if last != Some(thread) {
                self.thread(world, thread, &mut next);
            }
            last = Some(thread);
        }
        self.loops_and_events(world, &mut next);
        self.crashes(world, &mut next);
        next
    }

    fn guest(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        let Some(case) = world.case else {
            let created = World { case: Some(Case::held(world.mode)), units: true, ..*world };
            next.push((
                "create",
                if world.mode == Mode::AllOrNothing { created.and(Thread::Call(1, 1)) } else { created },
            ));
            return;
        };
        if world.mode == Mode::Hold && case.attempt < 2 {
            let opened = match machine::pay(&case, world.expired) {
                Some(standing) if standing.attempt != case.attempt => Some(standing),
                Some(_) if self.without(LeftOut::OneAttemptAtATime) => {
                    Some(Case { attempt: case.attempt + 1, attempt_open: true, calls: 1, ..case })
                }
                _ => None,
            };
            if let Some(standing) = opened {
                next.push(("pay", World { case: Some(standing), ..*world }.and(call(&standing))));
            }
        }
        if world.joins > 0
            && let Some(joined) = machine::join(&case, case.attempt)
        {
            let again = World { case: Some(joined), joins: world.joins - 1, ..*world };
            next.push(("retry_same_id", again.and(call(&joined))));
        }
        if !world.cancelled_once
            && matches!(case.state, CaseState::Pending | CaseState::Confirmed)
            && let Cancel::Step(step) = machine::cancel(&case, Judge::Case)
        {
            next.push(("cancel", self.take(World { cancelled_once: true, ..*world }, &step)));
        }
        if case.state == CaseState::Pending && !world.expired {
            next.push(("time_passes", World { expired: true, ..*world }));
        }
    }

    fn sweeper(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        let Some(case) = world.case else { return };
        if world.threads().any(|thread| matches!(thread, Thread::Ask(_) | Thread::Sweeper(..))) {
            return;
        }
        match machine::sweep(&case, world.expired) {
            Sweep::Wait => {}
            Sweep::End(step) => next.push(("sweep_unpaid", self.take(*world, &step))),
            Sweep::Ask => next.push(("sweep_asks", world.and(Thread::Ask(attempt_number(&case))))),
        }
    }

    fn thread(&self, world: &World, thread: Thread, next: &mut Vec<(&'static str, World)>) {
        let rest = world.without(thread);
        match thread {
            Thread::Call(attempt, calls) => {
                next.push(("not_sent", self.settle_as_written(rest, attempt, calls, Outcome::NotSent)));
                next.push(("call_payment", rest.and(Thread::Wait(attempt, calls)).and(Thread::Create(attempt))));
            }
            Thread::Wait(..) => next.push(("caller_times_out", rest)),
            Thread::Handler(attempt, calls, known) => {
                next.push(("handler_settles", self.settle_as_written(rest, attempt, calls, known.into())));
            }
            Thread::Create(attempt) => next.push(("create_payment", self.create_payment(rest, attempt))),
            Thread::AtProvider(attempt) => {
                let outcomes: &[Provider] = match world.provider(attempt) {
                    Provider::Nothing => &[Provider::Charged, Provider::Declined],
                    Provider::Charged => &[Provider::Charged],
                    Provider::Declined => &[Provider::Declined],
                    // A key that was charged and given back is still answered as charged.
                    Provider::Refunded => &[Provider::Refunded],
                };
                for outcome in outcomes {
                    let says = if *outcome == Provider::Declined { Says::Declined } else { Says::Charged };
                    next.push(("provider_decides", rest.decided(attempt, *outcome).and(Thread::Record(attempt, says))));
                }
                next.push(("provider_times_out", rest.late(attempt)));
                next.push(("provider_not_reached", self.reply(self.record(rest, attempt, Heard::NotSent), attempt)));
            }
            Thread::Record(attempt, says) => {
                let heard = if says == Says::Charged { Heard::Charged } else { Heard::Declined };
                next.push(("payment_records", self.reply(self.record(rest, attempt, heard), attempt)));
            }
            Thread::Late(attempt) => {
                for outcome in [Provider::Charged, Provider::Declined] {
                    next.push(("late_call_arrives", rest.decided(attempt, outcome)));
                }
            }
            Thread::Ask(attempt) => next.push(("sweeper_hears", self.sweeper_hears(rest, attempt))),
            Thread::Sweeper(attempt, known) => next.push(("sweeper_settles", self.settle(rest, attempt, known.into()))),
            Thread::Void(attempt) => {
                let (told, answer) = match till::void(world.payment(attempt)) {
                    OnVoid::Tombstone => (Some(Payment::TOMBSTONE), Known::Voided),
                    OnVoid::Void => (world.payment(attempt).map(Payment::voided), Known::Voided),
                    OnVoid::Answer => (None, known(world.payment(attempt)).unwrap_or(Known::Voided)),
                };
                let world = told.map_or(rest, |voided| rest.with_payment(attempt, voided).tell(Told::Voided, attempt));
                next.push(("payment_voids", world.and(Thread::Sweeper(attempt, answer))));
            }
        }
    }

    fn create_payment(&self, world: World, attempt: u8) -> World {
        match till::create(world.payment(attempt)) {
            OnCreate::Insert if self.without(LeftOut::CommitBeforeProvider) => world.and(Thread::AtProvider(attempt)),
            OnCreate::Insert => world.with_payment(attempt, Payment::FIRST_CALL).and(Thread::AtProvider(attempt)),
            OnCreate::CallAgain => {
                let called = world.payment(attempt).map(Payment::called_again).unwrap_or(Payment::FIRST_CALL);
                world.with_payment(attempt, called).and(Thread::AtProvider(attempt))
            }
            OnCreate::Answer | OnCreate::Refuse => self.reply(world, attempt),
        }
    }

    fn sweeper_hears(&self, world: World, attempt: u8) -> World {
        let Some(case) = world.case else { return world };
        let asked = match world.payment(attempt) {
            None => Asked::NoSuchPayment,
            Some(payment) => known(Some(payment)).map_or(Asked::Unsettled, |known| Asked::Settled(known.into())),
        };
        match (machine::after_asking(&case, asked, world.expired), known(world.payment(attempt))) {
            (ThenDo::Apply(_), Some(known)) => world.and(Thread::Sweeper(attempt, known)),
            (ThenDo::Void, _) => world.and(Thread::Void(attempt)),
            (ThenDo::Apply(_) | ThenDo::AskAgain, _) => world,
        }
    }

    /// Payment's recovery and refunds, and the events that reach reservation.
    fn loops_and_events(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        for attempt in [1, 2] {
            if let Some(payment) = world.payment(attempt) {
                let heard = match world.provider(attempt) {
                    Provider::Nothing => Heard::Lost,
                    Provider::Declined => Heard::Declined,
                    Provider::Charged | Provider::Refunded => Heard::Charged,
                };
                let skips = payment.state == PayState::Voided && self.without(LeftOut::VoidReversed);
                if payment.calls > 0 && !skips && matches!(payment.state, PayState::Pending | PayState::Voided) {
                    next.push(("payment_recovers", self.record(*world, attempt, heard)));
                }
                if world.was_told(Told::RefundWanted, attempt) && payment.state == PayState::Approved {
                    let refunded = Payment { state: PayState::Refunded, ..payment };
                    let world = world.with_payment(attempt, refunded).decided(attempt, Provider::Refunded);
                    next.push(("payment_refunds", world.tell(Told::Refunded, attempt)));
                }
            }
            for (told, outcome) in [
                (Told::Approved, Outcome::Approved),
                (Told::Declined, Outcome::Declined),
                (Told::Voided, Outcome::Voided),
            ] {
                if world.was_told(told, attempt) {
                    next.push(("event_arrives", self.settle(*world, attempt, outcome)));
                }
            }
            if world.was_told(Told::Refunded, attempt)
                && let Some(case) = world.case
                && case.attempt == u32::from(attempt)
                && let Some(step) = machine::refunded(&case)
            {
                next.push(("refund_arrives", self.take(*world, &step)));
            }
        }
        next.retain(|(_, then)| then != world);
    }

    fn crashes(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        if world.crashes == 0 {
            return;
        }
        let of_reservation = |thread: &Thread| {
            matches!(
                thread,
                Thread::Call(..) | Thread::Wait(..) | Thread::Handler(..) | Thread::Ask(_) | Thread::Sweeper(..)
            )
        };
        let of_payment = |thread: &Thread| {
            matches!(thread, Thread::Create(_) | Thread::AtProvider(_) | Thread::Record(..) | Thread::Void(_))
        };
        let crash = |dies: &dyn Fn(&Thread) -> bool| {
            let mut left = World { crashes: world.crashes - 1, ..*world };
            let mut died = false;
            for thread in world.threads().filter(|thread| dies(thread)) {
                died = true;
                left = left.without(thread);
                // What was on its way to the provider still arrives.
                if let Thread::AtProvider(attempt) = thread {
                    left = left.late(attempt);
                }
            }
            died.then_some(left)
        };
        next.extend(crash(&of_reservation).map(|world| ("crash_of_reservation", world)));
        next.extend(crash(&of_payment).map(|world| ("crash_of_payment", world)));
    }

    /// Visits everything reachable; the shortest history that breaks the books, or how many states there are.
    pub fn run(&self) -> Result<usize, String> {
        let modes = [Mode::AllOrNothing, Mode::Hold];
        let starts =
            modes.into_iter().flat_map(|mode| [false, true].map(|keeps_money| World::start(mode, keeps_money)));
        explore(
            starts,
            |world| self.next(world),
            |world, next| wrong(world, is_at_rest(world, next)).map(|wrong| format!("{:?}: {wrong}", world.mode)),
        )
    }
}

/// A handler that has just written this on the case.
fn call(written: &Case) -> Thread {
    Thread::Call(attempt_number(written), u8::try_from(written.calls).expect("a few calls at most"))
}
