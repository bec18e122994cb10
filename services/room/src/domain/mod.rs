//! Rooms as pure Rust: commands return events or a fault; time and ids are passed in.

mod details;
mod nights;
mod point;
mod room;

use mesh::booking_window::OutsideWindow;
use uuid::Uuid;

pub use details::{
    DEFAULT_CAPACITY, DEFAULT_CHECK_IN, DEFAULT_CHECK_OUT, DEFAULT_UNITS, Details, MAX_AMENITIES, MAX_AMENITY_CHARS,
    MAX_CAPACITY, MAX_DESCRIPTION_CHARS, MAX_DISPLAY_NAME_CHARS, MAX_FOLDED_PLACE_CHARS, MAX_NUMBER_CHARS,
    MAX_PLACE_CHARS, MAX_RATE_MINOR, MAX_RATING, MAX_SIZE_SQUARE_METERS, MAX_UNITS, Update,
};
pub use nights::{Blocked, Night, NightState, Nights, Occupancy, Stay, calendar};
pub use point::{Point, chord_squared, chord_squared_of, meters};
pub use room::{Block, Change, Fact, OnReserved, OpenStays, Room};

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The room does not exist, or is not the caller's.
    #[error("the room does not exist, or belongs to another host")]
    NotFound,
    /// The room was deleted.
    #[error("the room is deleted")]
    Deleted,
    /// The host has another active room of this number.
    #[error("another of your rooms has this number")]
    NumberTaken,
    /// The room is not the one that the caller read.
    #[error("the room has changed since you read it: its etag is now {current}")]
    EtagMismatch {
        /// The room's etag as it stands.
        current: String,
    },
    /// The rate is in another currency than the one that the room is sold in.
    #[error("the room is sold in {sold}, and the rate is in {stated}")]
    CurrencyMismatch {
        /// The room's currency.
        sold: &'static str,
        /// The rate's currency.
        stated: &'static str,
    },
    /// The time zone is another than the one that the room's nights are counted in.
    #[error("must stay {current}, because the room's nights are counted in it")]
    TimeZoneFixed {
        /// The room's time zone.
        current: String,
    },
    /// The room has stays that are not over, and the caller wanted it deleted only without.
    #[error("the room has {count} stays that are not over")]
    Reserved {
        /// How many.
        count: u64,
        /// The first of their reservations, in the order in which they begin.
        first: Vec<Uuid>,
    },
    /// The first night is over, or too far ahead.
    #[error(transparent)]
    NotOnSale(#[from] OutsideWindow),
}
