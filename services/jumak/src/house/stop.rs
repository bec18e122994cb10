//! Stopping: new calls, checkouts, sweepers, relays, consumers, writers; callers before callees.

use std::time::Duration;

use tokio::time::Instant;

use super::{House, Member};

/// Checkouts, sweepers, relays and consumers stop one after the other.
const PHASES: u32 = 4;
/// What each of them gets when calls have used up all the time that there was.
const LEAST_PATIENCE: Duration = Duration::from_millis(250);

pub(super) async fn stop(house: House) -> anyhow::Result<()> {
    let House { front, databases, services, registry, background, bus, drain_deadline } = house;
    let deadline = Instant::now() + drain_deadline;

    // Whoever only waits for others must not hold up the calls in hand.
    background.announce();

    // New calls: no connection is taken any more. Whom no other context here calls turns calls away and ends its streams, which would
    // hold the listener open for as long as their readers like.
    let is_called_here = |member: &Member| member.callers().any(|caller| services.contains_key(&caller));
    let (callees, others): (Vec<_>, Vec<_>) = services.iter().partition(|(member, _)| is_called_here(member));
    let closing = front.close();
    for (_, service) in others {
        service.drain();
    }
    let served = closing.await;

    // What a call has begun and its caller no longer waits for; it still reaches the contexts that it needs.
    let remaining = deadline.saturating_duration_since(Instant::now());
    background.drain((remaining / PHASES).max(LEAST_PATIENCE)).await;

    // Nobody is left who would call them.
    for (_, service) in callees {
        service.drain();
    }
    for member in services.keys() {
        registry.remove(member.name());
    }
    // Whoever holds a database is gone by now.
    drop(services);
    for (_, database) in databases {
        database.close().await;
    }
    if let Some(bus) = bus {
        bus.close().await;
    }
    served
}
