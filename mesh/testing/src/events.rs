//! Events that stand for any.

use mesh_foundation::{
    clock::Clock,
    event::{Event, route},
};
use uuid::Uuid;

/// An event of `context` about its thing number `sequence`.
pub fn event(context: &str, sequence: u64) -> Event {
    Event {
        id: Uuid::now_v7(),
        kind: format!("jumak.{context}.v1.ThingHappened"),
        source: context.to_owned(),
        subject: format!("things/{sequence}"),
        route: route(context, "thing", "ThingHappened"),
        time: Clock::system().now(),
        correlation_id: "case".to_owned(),
        causation_id: None,
        actor: "users/alice".to_owned(),
        sequence,
        traceparent: None,
        data: sequence.to_be_bytes().to_vec(),
    }
}

/// The first `count` events of `context`.
pub fn events(context: &str, count: u64) -> Vec<Event> {
    (1..=count).map(|sequence| event(context, sequence)).collect()
}
