//! Every standing, every outcome: what may follow and what may not.

use std::collections::BTreeSet;

use super::machine::{
    Asked, Cancel, Fact, Judge, Mode, Outcome, Requests, Settle, Standing, State, Step, Sweep, ThenDo, Units, Verdict,
    after_asking, cancel, join, judged, pay, refunded, settle, sweep,
};

const OUTCOMES: [Outcome; 5] =
    [Outcome::Approved, Outcome::Declined, Outcome::Voided, Outcome::NotSent, Outcome::Unknown];

fn standings() -> impl Iterator<Item = Standing> {
    State::ALL.into_iter().flat_map(move |state| {
        [Mode::AllOrNothing, Mode::Hold].into_iter().flat_map(move |mode| {
            (0..3).flat_map(move |attempt| {
                (0..16_u32).map(move |bits| Standing {
                    state,
                    mode,
                    attempt,
                    attempt_open: bits & 1 != 0,
                    calls: bits >> 2 & 2 | bits >> 1 & 1,
                    paid: matches!(state, State::Confirmed | State::CancelRequested)
                        || state == State::Cancelled && bits & 4 != 0,
                    cancel_asked: bits & 4 != 0,
                })
            })
        })
    })
}

/// Every step that anything can lead to, with where it began.
fn steps() -> Vec<(Standing, Step)> {
    let mut steps = Vec::new();
    for now in standings() {
        for past_expiry in [false, true] {
            for outcome in OUTCOMES {
                for attempt in 0..4 {
                    if let Settle::Step(step) = settle(&now, attempt, outcome, past_expiry) {
                        steps.push((now, step));
                    }
                }
            }
            if let Sweep::End(step) = sweep(&now, past_expiry) {
                steps.push((now, step));
            }
        }
        for judge in [Judge::Case, Judge::Fulfilment] {
            if let Cancel::Step(step) = cancel(&now, judge) {
                steps.push((now, step));
            }
        }
        for verdict in [Verdict::Stopped, Verdict::Begun] {
            steps.extend(judged(&now, verdict).map(|step| (now, step)));
        }
        steps.extend(refunded(&now).map(|step| (now, step)));
    }
    steps
}

#[test]
fn the_legal_transitions_are_these_and_no_others() {
    use State::{CancelRequested, Cancelled, Confirmed, Expired, Pending, Rejected};
    let seen: BTreeSet<_> = steps().into_iter().map(|(now, step)| (now.state, step.after.state)).collect();
    let legal = BTreeSet::from([
        (Pending, Pending),
        (Pending, Confirmed),
        (Pending, CancelRequested),
        (Pending, Cancelled),
        (Pending, Rejected),
        (Pending, Expired),
        // Somebody is asked whether it can be cancelled, or says that it cannot.
        (Confirmed, Confirmed),
        (Confirmed, CancelRequested),
        (CancelRequested, Cancelled),
    ]);
    assert_eq!(seen, legal);
}

#[test]
fn units_go_back_exactly_when_the_case_stops_holding_them() {
    for (now, step) in steps() {
        let stops = now.state.holds_units() && !step.after.state.holds_units();
        assert_eq!(step.units == Units::GiveBack, stops, "{now:?} to {step:?}");
    }
}

#[test]
fn what_is_told_ends_with_what_stands() {
    for (now, step) in steps() {
        let told = step.facts.last().map(|fact| match fact {
            Fact::Confirmed | Fact::CancelAsked | Fact::CancelRefused => State::Confirmed,
            Fact::Rejected => State::Rejected,
            Fact::Expired => State::Expired,
            Fact::CancelRequested => State::CancelRequested,
            Fact::Cancelled => State::Cancelled,
            Fact::Held | Fact::RefundRequested(_) => panic!("a step never tells {fact:?}"),
        });
        assert_eq!(told.unwrap_or(now.state), step.after.state, "{now:?} to {step:?}");
    }
}

#[test]
fn whoever_fulfils_a_case_decides_only_what_its_customer_asked_and_nobody_else_has_decided() {
    for now in standings() {
        let waits = now.state == State::Confirmed && now.cancel_asked;
        let outcome =
            |verdict| judged(&now, verdict).map(|step| (step.after.state, step.after.cancel_asked, step.requests));
        let (stopped, begun) = (outcome(Verdict::Stopped), outcome(Verdict::Begun));
        if !waits {
            assert_eq!((stopped, begun), (None, None), "{now:?}");
            continue;
        }
        assert_eq!(stopped, Some((State::CancelRequested, true, Requests::AnswerCancel)));
        assert_eq!(begun, Some((State::Confirmed, false, Requests::AnswerCancel)));
        assert_eq!(cancel(&now, Judge::Fulfilment), Cancel::AsItIs, "they are asked already");
        let Cancel::Step(step) = cancel(&now, Judge::Case) else { panic!("a host or an agent needs no judge") };
        assert_eq!((step.after.state, step.requests), (State::CancelRequested, Requests::AnswerCancel));
    }
}

#[test]
fn asking_whoever_fulfils_a_case_gives_nothing_back() {
    for now in standings().filter(|now| now.state == State::Confirmed && !now.cancel_asked) {
        let Cancel::Step(step) = cancel(&now, Judge::Fulfilment) else { panic!("{now:?} can be asked") };
        assert_eq!((step.facts, step.units), (vec![Fact::CancelAsked], Units::Keep));
        assert_eq!(step.after, Standing { cancel_asked: true, ..now });
    }
}

#[test]
fn only_an_approval_confirms() {
    for now in standings() {
        for outcome in OUTCOMES {
            if let Settle::Step(step) = settle(&now, now.attempt, outcome, false) {
                let confirms = step.facts.contains(&Fact::Confirmed);
                assert_eq!(confirms, outcome == Outcome::Approved, "{now:?} and {outcome:?}");
            }
        }
    }
}

#[test]
fn an_unknown_outcome_decides_nothing() {
    for now in standings() {
        for past_expiry in [false, true] {
            assert_eq!(settle(&now, now.attempt, Outcome::Unknown, past_expiry), Settle::Nothing, "{now:?}");
        }
    }
}

#[test]
fn money_for_a_case_that_ended_unpaid_is_given_back_and_the_approval_that_paid_it_never_is() {
    for now in standings().filter(|now| now.state.is_final()) {
        let expected = if now.paid { Settle::Nothing } else { Settle::GiveBack };
        assert_eq!(settle(&now, now.attempt, Outcome::Approved, false), expected, "{now:?}");
    }
}

#[test]
fn one_call_that_was_not_sent_says_nothing_of_another() {
    for now in standings().filter(|now| now.calls != 1) {
        assert_eq!(settle(&now, now.attempt, Outcome::NotSent, false), Settle::Nothing, "{now:?}");
    }
}

#[test]
fn one_attempt_is_open_at_a_time_and_every_call_is_counted() {
    for now in standings() {
        for past_expiry in [false, true] {
            let payable = now.state == State::Pending && !now.cancel_asked && !past_expiry;
            let expected = match (payable, now.attempt_open) {
                (false, _) => None,
                (true, true) => Some((now.attempt, now.calls + 1)),
                (true, false) => Some((now.attempt + 1, 1)),
            };
            assert_eq!(pay(&now, past_expiry).map(|then| (then.attempt, then.calls)), expected, "{now:?}");
        }
        for attempt in 0..4 {
            if let Some(then) = join(&now, attempt) {
                assert_eq!((then.attempt, then.calls), (attempt, now.calls + 1));
                assert!(now.attempt_open && !now.cancel_asked && now.state == State::Pending, "{now:?}");
            }
        }
    }
}

#[test]
fn an_answer_is_stored_for_what_is_final_and_the_id_is_freed_for_what_was_not_sent() {
    let open = Standing::held(Mode::AllOrNothing);
    for (outcome, requests) in [
        (Outcome::Approved, Requests::Answer),
        (Outcome::Declined, Requests::Answer),
        (Outcome::Voided, Requests::Answer),
        (Outcome::NotSent, Requests::Free),
    ] {
        let Settle::Step(step) = settle(&open, 1, outcome, false) else { panic!("{outcome:?} is a step") };
        assert_eq!(step.requests, requests, "{outcome:?}");
    }
}

#[test]
fn a_sweeper_voids_before_it_gives_up_and_never_guesses() {
    for now in standings() {
        for past_expiry in [false, true] {
            assert_eq!(after_asking(&now, Asked::NoSuchPayment, past_expiry), ThenDo::Void);
            let unsettled = after_asking(&now, Asked::Unsettled, past_expiry);
            let expected = if past_expiry || now.cancel_asked { ThenDo::Void } else { ThenDo::AskAgain };
            assert_eq!(unsettled, expected, "{now:?}");
        }
    }
}
