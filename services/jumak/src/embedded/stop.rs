//! Stopping: new calls, checkouts, sweepers, relays, consumers, writers; callers before callees.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::{System, contexts::Member};

/// Checkouts, sweepers, relays and consumers stop one after the other.
const PHASES: u32 = 4;
/// What each of them gets when calls have used up all the time that there was.
const LEAST_PATIENCE: Duration = Duration::from_millis(250);

pub(super) async fn stop(system: System) -> anyhow::Result<()> {
    let System { config, databases, services, registry, background, serving, lock, ephemeral, .. } = system;
    let deadline = Instant::now() + config.drain_deadline();

    // New calls: no connection is taken any more. Whom no other context calls turns calls away and ends its streams, which would
    // hold the listener open for as long as their readers like.
    serving.stop.cancel();
    let drain = |member: Member| {
        if let Some(service) = services.get(member.name()) {
            service.drain();
        }
    };
    drain(Member::Mypage);
    drain(Member::Reservation);
    let served = serving.task.await;

    // What a call has begun and its caller no longer waits for; it still reaches payment, room and the provider.
    let remaining = deadline.saturating_duration_since(Instant::now());
    background.drain((remaining / PHASES).max(LEAST_PATIENCE)).await;

    // Nobody is left who would call them.
    for member in [Member::Room, Member::Payment, Member::Provider] {
        drain(member);
    }
    for member in Member::ALL {
        registry.remove(member.name());
    }
    // Whoever holds a database is gone by now.
    drop(services);
    for (_, database) in databases {
        database.close().await;
    }
    // Let go of before it is removed.
    drop(lock);
    if let Some(folder) = ephemeral {
        folder.close().context("the temporary folder was not removed")?;
    }
    served.context("the listener's task failed")??;
    Ok(())
}
