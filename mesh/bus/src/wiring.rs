//! What the background loops of a process share: relays publish to the bus, consumers read from it.

use mesh_foundation::{background::Background, clock::Clock};

use crate::bus::SharedBus;

/// The bus that a running process uses, beside its contexts.
#[derive(Clone)]
pub struct Wiring {
    /// The bus.
    pub bus: SharedBus,
    /// Where the loops run.
    pub background: Background,
    /// The time.
    pub clock: Clock,
}
