//! What the loops of a process share beside its contexts: relays publish to the bus, consumers hear from it.

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
