//! The books: what must never be, and what must not be where everything has come to rest.

use mesh::checkout::machine::State as CaseState;
use payment::domain::machine::State as PayState;

use super::world::{Provider, World, attempt_number, known};

/// Whether nothing will happen any more unless the guest does something.
pub fn is_at_rest(world: &World, next: &[(&'static str, World)]) -> bool {
    let only_waits = next.iter().all(|(name, _)| {
        name.starts_with("crash") || matches!(*name, "time_passes" | "cancel" | "pay" | "retry_same_id" | "sweep_asks")
    });
    only_waits && world.threads().next().is_none() && !sweeper_would_move(world)
}

/// At rest the sweeper may still ask; it moves the case unless payment is unsettled and the hold is still good.
pub fn sweeper_would_move(world: &World) -> bool {
    let Some(case) = world.case else { return false };
    if case.state != CaseState::Pending || !case.attempt_open {
        return false;
    }
    known(world.payment(attempt_number(&case))).is_some()
        || world.payment(attempt_number(&case)).is_none()
        || world.expired
        || case.cancel_asked
}

/// What must never be.
pub fn wrong(world: &World, at_rest: bool) -> Option<String> {
    let case = world.case?;
    let charged = world.provider.iter().filter(|provider| **provider == Provider::Charged).count();
    if case.state == CaseState::Confirmed
        && world.payment(attempt_number(&case).max(1)).map(|payment| payment.state) != Some(PayState::Approved)
    {
        return Some("confirmed and not paid".to_owned());
    }
    if case.state.is_final() && !case.paid && world.was_told_of_a_refund() {
        return Some("a booking that was paid for is lost".to_owned());
    }
    if charged > 1 {
        return Some("charged twice".to_owned());
    }
    if world.units != case.state.holds_units() {
        return Some(format!("the units do not match {}", case.state.name()));
    }
    if !at_rest {
        return None;
    }
    match case.state {
        CaseState::Pending if world.expired => Some("stuck in PENDING".to_owned()),
        CaseState::CancelRequested => Some("stuck in CANCEL_REQUESTED".to_owned()),
        CaseState::Confirmed if charged != 1 => Some(format!("confirmed and charged {charged} times")),
        CaseState::Cancelled if case.paid && world.keeps_money && charged != 1 => {
            Some("a cancellation without a refund was refunded".to_owned())
        }
        CaseState::Cancelled if case.paid && world.keeps_money => None,
        state if state.is_final() && charged > 0 => Some("ended and still charged".to_owned()),
        _ => None,
    }
}
