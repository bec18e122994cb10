//! Reservation's events: each fact as a contract event.

use contracts::reservation::v1::ReservationRefundRequested;
use mesh::{
    Actor, Event,
    checkout::{Cases, payment_name},
};
use prost::{Message, Name};

use crate::{convert, domain::Reservation, store::Reservations};

/// The aggregate's name in event subjects.
const AGGREGATE: &str = "reservation";

/// An event about a reservation as it is now.
pub fn new<M: Message + Name>(case: &Reservation, actor: &Actor, message: &M) -> Event {
    let record = &case.record;
    let sequence = u64::try_from(record.version).unwrap_or_default();
    let actor = Actor { correlation_id: record.correlation_id.clone(), ..actor.clone() };
    Event::new(Reservations::CONTEXT, AGGREGATE, record.name.clone(), sequence, record.update_time, &actor, message)
}

/// The refund of an attempt that was approved for nothing (rule O).
pub fn refund_requested(case: &Reservation, attempt: u32, actor: &Actor) -> Event {
    let message = ReservationRefundRequested {
        reservation: Some(convert::for_event(case)),
        payment: payment_name(&case.record.name, attempt),
    };
    new(case, actor, &message)
}
