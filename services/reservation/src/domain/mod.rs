//! Reservations as pure Rust: no I/O, no clock, no wire.

mod policy;
mod price;
mod reservation;
mod room;
mod stay;

pub use policy::{CancellationPolicy, Tier};
pub use price::{Line, Price, PriceError, of_nights};
pub use reservation::{COLLECTION, GuestDetails, Reservation, RoomSnapshot};
pub use room::{RoomOffer, RoomState};
pub use stay::{Stay, StayError};
