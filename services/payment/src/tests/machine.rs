//! Every transition, and every interleaving of one payment.

use std::collections::{HashMap, VecDeque};

use strum::VariantArray;

use crate::domain::machine::{Heard, OnCreate, OnVoid, Recorded, Standing, State, create, record, refunded, void};

fn at(state: State, calls: u32) -> Standing {
    Standing { state, calls }
}

fn all() -> impl Iterator<Item = Standing> {
    State::VARIANTS.iter().flat_map(|state| [0, 1, 2].map(|calls| at(*state, calls)))
}

#[test]
fn whatever_does_not_stand_in_this_table_changes_nothing() {
    let moves = |now: Standing, heard: Heard| match (now.state, heard, now.calls) {
        (State::Pending | State::ActionRequired, Heard::Charged, _) => Some(Recorded::Become(State::Approved)),
        (State::Pending | State::ActionRequired, Heard::Declined, _) => Some(Recorded::Become(State::Declined)),
        (State::Pending, Heard::ActionRequired, _) => Some(Recorded::Become(State::ActionRequired)),
        (State::Pending, Heard::Lost, _) => Some(Recorded::Become(State::Voided)),
        (State::Pending, Heard::NotSent, 1) => Some(Recorded::NeverCalled),
        (State::Voided, Heard::Charged, 1..) => Some(Recorded::BookAndReverse),
        (State::Voided, Heard::Declined, 1..) => Some(Recorded::StopAsking),
        (State::Voided, Heard::NotSent, 1) => Some(Recorded::StopAsking),
        _ => None,
    };
    let contradicts = |now: Standing, heard: Heard| {
        now.state.is_paid() && heard == Heard::Declined || now.state == State::Declined && heard == Heard::Charged
    };
    for now in all() {
        for heard in Heard::ALL {
            let expected = if contradicts(now, heard) {
                Recorded::Contradiction
            } else {
                moves(now, heard).unwrap_or(Recorded::Nothing)
            };
            assert_eq!(record(now, heard), expected, "{heard:?} at {now:?}");
        }
    }
}

#[test]
fn an_id_is_paid_called_again_answered_or_refused_by_what_stands() {
    assert_eq!(create(None), OnCreate::Insert);
    for now in all() {
        let expected = match now.state {
            State::Pending | State::ActionRequired => OnCreate::CallAgain,
            State::Voided => OnCreate::Refuse,
            State::Approved | State::Declined | State::PartlyRefunded | State::Refunded => OnCreate::Answer,
        };
        assert_eq!(create(Some(now)), expected, "{now:?}");
    }
}

#[test]
fn only_what_is_unsettled_can_be_voided() {
    assert_eq!(void(None), OnVoid::Tombstone);
    for now in all() {
        let expected = if now.state.is_unsettled() { OnVoid::Void } else { OnVoid::Answer };
        assert_eq!(void(Some(now)), expected, "{now:?}");
    }
}

#[test]
fn a_payment_is_refunded_when_all_of_it_is() {
    assert_eq!(
        [0, 1, 9, 10].map(|minor| refunded(10, minor)),
        [State::Approved, State::PartlyRefunded, State::PartlyRefunded, State::Refunded]
    );
}

#[test]
fn every_state_reads_back() {
    for state in State::VARIANTS {
        assert_eq!(state.name().parse(), Ok(*state));
    }
}

/// One payment, its calls, its provider, and what others were told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    payment: Option<Standing>,
    /// Calls that were committed and not yet sent, or sent and not yet arrived.
    in_flight: u32,
    /// Answers on their way back.
    answers: Vec<Heard>,
    /// What the provider has decided: whether it charged.
    provider: Option<bool>,
    reversals: u32,
    told_approved: u32,
    told_voided: u32,
    calls_left: u32,
    crashes_left: u32,
}

impl World {
    fn hear(&self, heard: Heard) -> Self {
        let mut next = self.clone();
        let now = next.payment.expect("heard of a payment that is there");
        let recorded = record(now, heard);
        assert_ne!(recorded, Recorded::Contradiction, "{self:?} hears {heard:?}");
        next.payment = Some(now.after(recorded));
        match recorded {
            Recorded::Become(State::Approved) => next.told_approved += 1,
            Recorded::Become(State::Voided) => next.told_voided += 1,
            Recorded::BookAndReverse => next.reversals += 1,
            _ => {}
        }
        next
    }

    /// Everything that can happen next.
    fn steps(&self) -> Vec<(&'static str, Self)> {
        let mut steps = Vec::new();
        let mut can = |name, step: &dyn Fn(&mut Self)| {
            let mut next = self.clone();
            step(&mut next);
            steps.push((name, next));
        };
        if self.calls_left > 0 {
            match create(self.payment) {
                OnCreate::Insert => can("create", &|w| {
                    w.payment = Some(Standing::FIRST_CALL);
                    w.in_flight += 1;
                    w.calls_left -= 1;
                }),
                OnCreate::CallAgain => can("create again", &|w| {
                    w.payment = w.payment.map(Standing::called_again);
                    w.in_flight += 1;
                    w.calls_left -= 1;
                }),
                OnCreate::Answer | OnCreate::Refuse => {}
            }
        }
        match void(self.payment) {
            OnVoid::Tombstone => can("void before", &|w| {
                w.payment = Some(Standing::TOMBSTONE);
                w.told_voided += 1;
            }),
            OnVoid::Void => can("void", &|w| {
                w.payment = w.payment.map(Standing::voided);
                w.told_voided += 1;
            }),
            OnVoid::Answer => {}
        }
        if self.in_flight > 0 {
            can("not sent", &|w| {
                w.in_flight -= 1;
                w.answers.push(Heard::NotSent);
            });
            for charges in [true, false] {
                let name = if charges { "charge" } else { "decline" };
                if self.provider.is_none_or(|decided| decided == charges) {
                    can(name, &|w| {
                        w.in_flight -= 1;
                        w.provider = Some(charges);
                        w.answers.push(if charges { Heard::Charged } else { Heard::Declined });
                    });
                }
            }
            if self.crashes_left > 0 {
                can("crash before the call", &|w| {
                    w.in_flight -= 1;
                    w.crashes_left -= 1;
                });
            }
        }
        for (at, heard) in self.answers.iter().enumerate() {
            let mut next = self.hear(*heard);
            next.answers.remove(at);
            steps.push(("answer", next));
            let mut lost = self.clone();
            lost.answers.remove(at);
            steps.push(("answer lost", lost));
        }
        if let Some(now) = self.payment.filter(|now| now.calls > 0) {
            let asks = now.state.is_unsettled() || now.state == State::Voided;
            match self.provider {
                Some(true) if asks => steps.push(("recovery finds a charge", self.hear(Heard::Charged))),
                Some(false) if asks => steps.push(("recovery finds a refusal", self.hear(Heard::Declined))),
                // The clock may run out while a call is still on its way.
                None if now.state == State::Pending => steps.push(("recovery gives up", self.hear(Heard::Lost))),
                _ => {}
            }
        }
        for (_, next) in &mut steps {
            next.answers.sort();
        }
        steps
    }

    fn check(&self, history: &dyn Fn() -> String) {
        assert!(self.told_approved <= 1 && self.told_voided <= 1, "told twice: {}", history());
        assert!(self.told_approved + self.told_voided <= 1, "told to be paid and voided: {}", history());
        assert!(self.reversals <= u32::from(self.provider == Some(true)), "reversed for nothing: {}", history());
        let state = self.payment.map(|now| now.state);
        assert!(state != Some(State::Approved) || self.provider == Some(true), "approved, not charged: {}", history());
        let at_rest = self.in_flight == 0
            && self.answers.is_empty()
            && self.steps().iter().all(|(name, next)| {
                next == self || matches!(*name, "create" | "create again" | "void" | "void before")
            });
        if at_rest && self.provider == Some(true) {
            let kept = i64::from(self.provider == Some(true)) - i64::from(self.reversals);
            assert_eq!(kept, i64::from(self.told_approved), "money without a payment: {}", history());
        }
    }
}

#[test]
fn in_every_order_of_calls_answers_voids_and_crashes_money_is_told_or_given_back() {
    let start = World {
        payment: None,
        in_flight: 0,
        answers: Vec::new(),
        provider: None,
        reversals: 0,
        told_approved: 0,
        told_voided: 0,
        calls_left: 4,
        crashes_left: 2,
    };
    let mut seen: HashMap<World, Option<(&'static str, World)>> = HashMap::from([(start.clone(), None)]);
    let mut todo = VecDeque::from([start]);
    while let Some(world) = todo.pop_front() {
        world.check(&|| {
            let mut path = vec![format!("{world:?}")];
            let mut at = &world;
            while let Some(Some((step, before))) = seen.get(at) {
                path.push((*step).to_owned());
                at = before;
            }
            path.reverse();
            path.join(" → ")
        });
        for (step, next) in world.steps() {
            if !seen.contains_key(&next) {
                seen.insert(next.clone(), Some((step, world.clone())));
                todo.push_back(next);
            }
        }
    }
    // The search is worth nothing if it does not get there.
    for (what, reached) in [
        ("approved", seen.keys().any(|world| world.told_approved == 1)),
        ("voided and reversed", seen.keys().any(|world| world.reversals == 1)),
        ("never called", seen.keys().any(|world| world.payment == Some(at(State::Pending, 0)))),
        ("voided, with four calls under way", seen.keys().any(|world| world.payment == Some(at(State::Voided, 4)))),
    ] {
        assert!(reached, "no world was {what}");
    }
}
