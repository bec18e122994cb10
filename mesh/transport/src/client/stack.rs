//! The layers of every call, outermost first.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tower::{
    BoxError, ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer, timeout::TimeoutLayer,
    util::BoxCloneSyncService,
};

use super::{
    Limits, TokenSource,
    call::{Call, Reply},
    circuit::Circuit,
    deadline::Deadline,
    failure::Failure,
    identity::Identity,
    layer::Wrap,
    leaf::Leaf,
    retry::Retry,
    trace::Trace,
};

/// Puts the layers around `leaf`.
pub(super) fn stack(
    callee: &Arc<str>,
    circuit: &Circuit,
    limits: &Limits,
    tokens: Arc<dyn TokenSource>,
    leaf: Leaf,
) -> BoxCloneSyncService<Call, Reply, Failure> {
    let name = callee.clone();
    let service = ServiceBuilder::new()
        // Around everything, so that a call refused by any layer below is counted and traced under its business case too.
        .layer(Wrap(Trace { callee: callee.clone() }))
        // Above the deadline, because minting takes no network, and above the retry, because one token serves all attempts.
        .layer(Wrap(Identity { callee: callee.clone(), tokens }))
        // Around the attempts and the waits between them: the caller waits for the call, not for an attempt. The leaf forwards the
        // remaining time, because only the leaf knows when an attempt leaves.
        .layer(Wrap(Deadline { callee: callee.clone() }))
        // Above the circuit, so that each attempt asks it, and a call stops trying the moment it opens.
        .layer(Wrap(Retry::new(callee.clone(), limits)))
        // Above limit and timeout, because it has to see the calls that those two end. Asked before the limit, so that an open
        // circuit answers at once, whatever hangs below it.
        .layer(Wrap(circuit.clone()))
        // Turns the errors of tower's layers into our failures.
        .map_err(move |error: BoxError| Failure::from_layers(&name, error))
        // A call that cannot have a permit now is refused. Waiting for one would use up its deadline, and hide from the circuit
        // that the callee is slow.
        .layer(LoadShedLayer::new())
        // A bound on what a slow callee can keep of our memory and tasks. Global, because the service is cloned for each call.
        .layer(GlobalConcurrencyLimitLayer::new(limits.in_flight.min(Semaphore::MAX_PERMITS)))
        // Below the limit, so that it measures the callee and nothing of ours; and it includes reading the reply, which
        // `Endpoint::timeout` does not.
        .layer(TimeoutLayer::new(limits.timeout))
        .service(leaf);
    BoxCloneSyncService::new(service)
}
