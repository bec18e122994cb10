//! Whenever a reservation changes, its stay in the calendar is as the newest version says.

use async_trait::async_trait;
use contracts::reservation::v1::{
    Reservation, ReservationCancelRequested, ReservationCancelled, ReservationConfirmed, ReservationExpired,
    ReservationHeld, ReservationRefundRequested, ReservationRejected, reservation::State,
};
use mesh::{
    Error, Event, Tx,
    context::{Handled, Policies},
    fields::parse_name,
};
use prost::DecodeError;

use crate::{
    domain::{Nights, Occupancy, Stay},
    store::nights::{Heard, hear},
};

/// The calendar's policies.
pub struct Calendar;

#[async_trait]
impl Policies for Calendar {
    async fn handle(&self, tx: &Tx, event: &Event) -> Result<Handled, Error> {
        let Some(reservation) = reservation(event) else { return Ok(Handled::Unknown) };
        let heard = reservation
            .ok()
            .flatten()
            .and_then(|reservation| stay(&reservation))
            .ok_or_else(|| Error::Internal(format!("{} of {} tells of no stay", event.kind, event.subject)))?;
        hear(tx, &heard).await?;
        Ok(Handled::Done)
    }
}

/// The reservation that an event carries; none if it is no event of reservation's that this context knows.
fn reservation(event: &Event) -> Option<Result<Option<Reservation>, DecodeError>> {
    macro_rules! any_of {
        ($($message:ty),*) => { None$(.or_else(|| Some(event.decode::<$message>()?.map(|told| told.reservation))))* };
    }
    any_of!(
        ReservationHeld,
        ReservationConfirmed,
        ReservationRejected,
        ReservationExpired,
        ReservationCancelRequested,
        ReservationCancelled,
        ReservationRefundRequested
    )
}

/// The stay of a reservation; none if it is not one.
fn stay(reservation: &Reservation) -> Option<Heard> {
    let occupancy = match reservation.state() {
        State::Unspecified => return None,
        State::Pending => Occupancy::Held,
        State::Confirmed => Occupancy::Charged,
        State::CancelRequested | State::Cancelled | State::Rejected | State::Expired => Occupancy::Released,
    };
    Some(Heard {
        reservation: parse_name(&reservation.name, "reservations")?,
        version: reservation.version,
        room: parse_name(&reservation.room, "rooms")?,
        stay: Stay {
            nights: Nights::new(reservation.check_in_date.parse().ok()?, reservation.check_out_date.parse().ok()?)?,
            units: u16::try_from(reservation.units.unwrap_or(1)).ok()?,
            occupancy,
        },
    })
}
