//! Whenever a reservation changes, its stay in the calendar is updated to the newest version.

use contracts::reservation::v1::{Reservation, reservation::State};
use mesh::{context::Handled, fields::parse_name, hearing::Hearing};

use crate::{
    domain::{Nights, Occupancy, Stay},
    store::nights::{Heard, hear},
};

/// The events that the calendar consumes.
pub fn hearing() -> Hearing<()> {
    Hearing::new(()).on_any("reservation", |(), tx, reservation: Reservation, event| {
        Box::pin(async move {
            hear(tx, &stay(&reservation).ok_or_else(|| event.malformed("it tells of no stay"))?).await?;
            Ok(Handled::Done)
        })
    })
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
