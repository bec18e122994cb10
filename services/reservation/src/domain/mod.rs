//! Reservations as pure Rust: no I/O, no clock, no wire.

mod price;
mod reservation;
mod room;
mod stay;

pub use price::of_nights;
pub use reservation::{COLLECTION, GuestDetails, Reservation, RoomSnapshot};
pub use room::RoomOffer;
pub use stay::{Stay, StayError};
