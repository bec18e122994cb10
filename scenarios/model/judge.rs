//! A guest cancels what a courier may have just begun to bring (rule K): one case, one delivery, events that come at least once and in
//! any order. The case moves by the lifecycle's own transition functions; the delivery's row is modelled here.

use mesh::checkout::machine::{
    self, Cancel, Fact, Judge, Mode, Outcome, Settle, Standing as Case, State, Step, Verdict,
};

use super::explore::explore;

/// A rule that a search leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    /// The case cancels by itself, without asking.
    TheStartDecides,
    /// A courier starts whatever the delivery's row says.
    TheStartIsConditional,
    /// A stop that comes before the delivery is made leaves no trace.
    AStopIsKeptForLater,
    /// What was cancelled while it was paid for is confirmed like anything else.
    AConfirmationTellsOfTheCancel,
    /// What was begun is not told to the case.
    TheStartIsTold,
}

/// The delivery's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Delivery {
    None,
    Waiting,
    Going,
    Completed,
    Stopped,
    Recalled,
}

/// Events, once published heard any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Confirmed,
    ConfirmedAndCancelled,
    CancelAsked,
    CancelRequested,
    Stopped,
    Started,
    Completed,
}

const EVENTS: [Told; 7] = [
    Told::Confirmed,
    Told::ConfirmedAndCancelled,
    Told::CancelAsked,
    Told::CancelRequested,
    Told::Stopped,
    Told::Started,
    Told::Completed,
];

/// How far the case knows that its delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    None,
    Going,
    Completed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct World {
    case: Case,
    stage: Stage,
    /// Whether the guest's wish led to the cancellation.
    by_guest: bool,
    refused: bool,
    /// The guest has asked: once is enough.
    pressed: bool,
    delivery: Delivery,
    /// The courier has left with the goods.
    left: bool,
    told: u8,
    /// What of it was heard.
    heard: u8,
}

const START: World = World {
    case: Case::held(Mode::AllOrNothing),
    stage: Stage::None,
    by_guest: false,
    refused: false,
    pressed: false,
    delivery: Delivery::None,
    left: false,
    told: 0,
    heard: 0,
};

impl World {
    fn tell(self, told: Told) -> Self {
        Self { told: self.told | 1 << told as u8, ..self }
    }

    fn was_told(&self, told: Told) -> bool {
        self.told & 1 << told as u8 != 0
    }

    fn was_heard(&self, told: Told) -> bool {
        self.heard & 1 << told as u8 != 0
    }

    /// The case takes a step of its lifecycle.
    fn take(self, step: &Step, by_guest: bool) -> Self {
        let mut world = Self { case: step.after, ..self };
        for fact in &step.facts {
            world = match fact {
                Fact::CancelAsked => world.tell(Told::CancelAsked),
                Fact::CancelRefused => Self { refused: true, ..world },
                Fact::CancelRequested => Self { by_guest, ..world }.tell(Told::CancelRequested),
                _ => world,
            };
        }
        world
    }
}

struct Search(LeftOut);

impl Search {
    fn without(&self, rule: LeftOut) -> bool {
        self.0 == rule
    }

    fn next(&self, world: &World) -> Vec<(&'static str, World)> {
        let mut next = Vec::new();
        self.guest_and_host(world, &mut next);
        self.courier(world, &mut next);
        for told in EVENTS.into_iter().filter(|told| world.was_told(*told)) {
            let name = if world.was_heard(told) { "event_comes_again" } else { "event_arrives" };
            let heard = World { heard: world.heard | 1 << told as u8, ..*world };
            next.push((name, self.case_hears(self.delivery_hears(heard, told), told)));
        }
        next.retain(|(_, then)| then != world);
        next
    }

    fn guest_and_host(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        if let Settle::Step(step) = machine::settle(&world.case, 1, Outcome::Approved, false) {
            let cancelled = step.facts.contains(&Fact::CancelRequested);
            let told = if cancelled && !self.without(LeftOut::AConfirmationTellsOfTheCancel) {
                Told::ConfirmedAndCancelled
            } else {
                Told::Confirmed
            };
            next.push(("paid", world.take(&step, cancelled).tell(told)));
        }
        let pending = world.case.state == State::Pending;
        let open = world.case.state == State::Confirmed && world.stage == Stage::None;
        if !world.pressed && (pending || open) {
            let judge = if self.without(LeftOut::TheStartDecides) { Judge::Case } else { Judge::Fulfilment };
            if let Cancel::Step(step) = machine::cancel(&world.case, judge) {
                next.push(("guest_cancels", World { pressed: true, ..*world }.take(&step, true)));
            }
        }
        if world.case.state == State::Confirmed
            && world.stage != Stage::Completed
            && let Cancel::Step(step) = machine::cancel(&world.case, Judge::Case)
        {
            next.push(("host_cancels", world.take(&step, false)));
        }
        if let Some(step) = machine::refunded(&world.case) {
            next.push(("refund_arrives", world.take(&step, world.by_guest)));
        }
    }

    fn courier(&self, world: &World, next: &mut Vec<(&'static str, World)>) {
        let blindly =
            self.without(LeftOut::TheStartIsConditional) && world.delivery == Delivery::Stopped && !world.left;
        if world.delivery == Delivery::Waiting || blindly {
            let gone = World { delivery: Delivery::Going, left: true, ..*world };
            let told = if self.without(LeftOut::TheStartIsTold) { gone } else { gone.tell(Told::Started) };
            next.push(("courier_starts", told));
        }
        if world.delivery == Delivery::Going {
            let done = World { delivery: Delivery::Completed, ..*world };
            let told = if self.without(LeftOut::TheStartIsTold) { done } else { done.tell(Told::Completed) };
            next.push(("courier_completes", told));
        }
    }

    fn delivery_hears(&self, world: World, told: Told) -> World {
        let becomes = |delivery| World { delivery, ..world };
        let keeps = !self.without(LeftOut::AStopIsKeptForLater);
        match (told, world.delivery) {
            (Told::Confirmed, Delivery::None) => becomes(Delivery::Waiting),
            (Told::ConfirmedAndCancelled, Delivery::None) => becomes(Delivery::Stopped).tell(Told::Stopped),
            (Told::CancelAsked | Told::CancelRequested, Delivery::Waiting) => {
                becomes(Delivery::Stopped).tell(Told::Stopped)
            }
            (Told::CancelAsked | Told::CancelRequested, Delivery::None) if keeps => {
                becomes(Delivery::Stopped).tell(Told::Stopped)
            }
            (Told::CancelRequested, Delivery::Going) => becomes(Delivery::Recalled),
            _ => world,
        }
    }

    fn case_hears(&self, world: World, told: Told) -> World {
        let verdict = match told {
            Told::Stopped => Verdict::Stopped,
            Told::Started | Told::Completed => Verdict::Begun,
            _ => return world,
        };
        let judged = match machine::judged(&world.case, verdict) {
            Some(step) => world.take(&step, true),
            None => world,
        };
        match told {
            Told::Completed if judged.case.state == State::Confirmed => World { stage: Stage::Completed, ..judged },
            Told::Started if judged.case.state == State::Confirmed && judged.stage == Stage::None => {
                World { stage: Stage::Going, ..judged }
            }
            _ => judged,
        }
    }

    fn run(&self) -> Result<usize, String> {
        explore([START], |world| self.next(world), wrong)
    }
}

/// At rest everything was heard, and nothing happens but what people do, and events that come again.
const AT_REST: [&str; 5] =
    ["guest_cancels", "host_cancels", "courier_starts", "courier_completes", "event_comes_again"];

fn wrong(world: &World, next: &[(&'static str, World)]) -> Option<String> {
    let cancelled = matches!(world.case.state, State::CancelRequested | State::Cancelled);
    let wrong = if cancelled && world.by_guest && world.left {
        "the guest has the money back, and the goods"
    } else if world.refused && cancelled && world.by_guest {
        "the wish was refused, and granted"
    } else if next.iter().any(|(name, _)| !AT_REST.contains(name)) {
        return None;
    } else if world.case.state == State::Confirmed && world.case.cancel_asked && world.delivery != Delivery::Going {
        "the guest asked, and is never answered"
    } else if cancelled && matches!(world.delivery, Delivery::Waiting | Delivery::Going) {
        "it is cancelled, and still brought"
    } else if world.case.state == State::Confirmed && matches!(world.delivery, Delivery::Stopped | Delivery::Recalled) {
        "it is paid for, and nobody brings it"
    } else if world.case.state == State::Confirmed
        && world.delivery == Delivery::Completed
        && world.stage != Stage::Completed
    {
        "it was brought, and the case does not know"
    } else {
        return None;
    };
    Some(wrong.to_owned())
}

#[test]
fn no_interleaving_of_a_cancellation_and_a_start_gives_both_money_and_goods() {
    match Search(LeftOut::Nothing).run() {
        Ok(states) => assert!(states > 100, "the search visited only {states} states"),
        Err(history) => panic!("{history}"),
    }
}

#[test]
fn each_rule_of_the_judge_left_out_is_caught() {
    for rule in [
        LeftOut::TheStartDecides,
        LeftOut::TheStartIsConditional,
        LeftOut::AStopIsKeptForLater,
        LeftOut::AConfirmationTellsOfTheCancel,
        LeftOut::TheStartIsTold,
    ] {
        let outcome = Search(rule).run();
        assert!(outcome.is_err(), "{rule:?} was left out, and {outcome:?} states are all well");
    }
}
