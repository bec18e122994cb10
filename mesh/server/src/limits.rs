//! The limits of a context, above which it refuses calls.

use mesh_foundation::findings::Findings;
use serde::Deserialize;

/// The limits of one context, above which it refuses calls. Per context and never per process: bookings must not hold the permits
/// that payment needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Concurrent calls of people, and as many of other contexts besides; 1 to 100,000.
    pub in_flight: usize,
    /// Of those, the calls of one person; 1 to 100,000.
    pub in_flight_per_person: usize,
    /// Concurrent streams; 1 to 1,000,000. Counted separately, because a stream that waits for news costs next to nothing.
    pub open_streams: usize,
    /// Of those, the streams of one person; 1 to 1,000,000.
    pub open_streams_per_person: usize,
    /// Connections to the whole process; 1 to 100,000. A further connection is closed at once.
    pub connections: usize,
    /// The largest request, in bytes; 1,024 to 4,194,304.
    pub max_request_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            in_flight: 512,
            in_flight_per_person: 64,
            open_streams: 4_096,
            open_streams_per_person: 32,
            connections: 1_024,
            max_request_bytes: 256 * 1024,
        }
    }
}

impl LimitsConfig {
    /// Finds all that is wrong with the limits.
    pub fn check(&self, found: &mut Findings) {
        found.within("limits.in_flight", self.in_flight, 1..=100_000);
        found.within("limits.in_flight_per_person", self.in_flight_per_person, 1..=100_000);
        found.within("limits.open_streams_per_person", self.open_streams_per_person, 1..=1_000_000);
        found.within("limits.connections", self.connections, 1..=100_000);
        found.within("limits.open_streams", self.open_streams, 1..=1_000_000);
        found.within("limits.max_request_bytes", self.max_request_bytes, 1_024..=4_194_304);
    }
}
