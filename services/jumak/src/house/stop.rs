//! Stops a house. The order is: new calls, calls in hand, checkouts, sweepers, relays, consumers, databases, bus. Callers stop before
//! their callees.

use std::time::Duration;

use tokio::time::Instant;

use super::{House, Member};

/// Checkouts, sweepers, relays and consumers stop one after the other.
const PHASES: u32 = 4;
/// The least time for each phase, even if the calls in hand have used up the drain deadline.
const LEAST_PATIENCE: Duration = Duration::from_millis(250);

pub(super) async fn stop(house: House) -> anyhow::Result<()> {
    let House { front, databases, services, registry, background, bus, drain_deadline } = house;
    let deadline = Instant::now() + drain_deadline;

    // Watches and other waiting calls end now, so that they do not delay the calls in hand.
    background.announce();

    // No new connections are accepted. Contexts that no other context here calls refuse new calls and end their streams; an open stream
    // would otherwise keep the listener open for as long as its client likes.
    let is_called_here = |member: &Member| member.callers().any(|caller| services.contains_key(&caller));
    let (callees, others): (Vec<_>, Vec<_>) = services.iter().partition(|(member, _)| is_called_here(member));
    let closing = front.close();
    for (_, service) in others {
        service.drain();
    }
    let served = closing.await;

    // The background work that calls have begun. It can still call the contexts that it needs.
    let remaining = deadline.saturating_duration_since(Instant::now());
    background.drain((remaining / PHASES).max(LEAST_PATIENCE)).await;

    // No context is left that calls these.
    for (_, service) in callees {
        service.drain();
    }
    for member in services.keys() {
        registry.remove(member.name());
    }
    // Nothing uses the databases any more.
    drop(services);
    for (_, database) in databases {
        database.close().await;
    }
    if let Some(bus) = bus {
        bus.close().await;
    }
    served
}
