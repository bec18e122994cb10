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

/// The largest number of nights of one stay.
pub const MAX_NIGHTS: i32 = 90;
/// The largest number of units of one stay.
pub const MAX_UNITS: u32 = 10;
/// How many days ahead a stay may begin: five years.
pub const MAX_DAYS_AHEAD: i32 = 1_830;
