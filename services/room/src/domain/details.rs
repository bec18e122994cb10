//! The details of a room that its host sets, and their bounds.

use jiff::{
    civil::{Time, time},
    tz::TimeZone,
};
use mesh::{money::Money, types::CancellationPolicy};

use super::{Fault, Point};

/// Characters of a room's number.
pub const MAX_NUMBER_CHARS: usize = 16;
/// Characters of a room's display name.
pub const MAX_DISPLAY_NAME_CHARS: usize = 80;
/// Characters of a room's description.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;
/// Characters of a room's place.
pub const MAX_PLACE_CHARS: usize = 120;
/// Characters of a room's place as a search compares it: folding makes three of some letters.
pub const MAX_FOLDED_PLACE_CHARS: usize = 3 * MAX_PLACE_CHARS;
/// Units of one room.
pub const MAX_UNITS: u16 = 10_000;
/// Units of a room whose host names none.
pub const DEFAULT_UNITS: u16 = 1;
/// Guests that one unit sleeps.
pub const MAX_CAPACITY: u16 = 20;
/// Guests that one unit sleeps if the host does not say.
pub const DEFAULT_CAPACITY: u16 = 2;
/// Square metres of one unit.
pub const MAX_SIZE_SQUARE_METERS: u16 = 10_000;
/// Words for what a room offers.
pub const MAX_AMENITIES: usize = 50;
/// Characters of one such word.
pub const MAX_AMENITY_CHARS: usize = 32;
/// Minor units of a nightly rate: the longest stay in the most units still fits an i64, many times over.
pub const MAX_RATE_MINOR: i64 = 1_000_000_000_000;
/// The best rating.
pub const MAX_RATING: f64 = 5.0;
/// The default check-in time.
pub const DEFAULT_CHECK_IN: Time = time(15, 0, 0, 0);
/// The default check-out time.
pub const DEFAULT_CHECK_OUT: Time = time(11, 0, 0, 0);

/// The details of a room that its host sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// The number on the door; may be empty.
    pub number: String,
    /// Its name in lists.
    pub display_name: String,
    /// Its description; may be empty.
    pub description: String,
    /// How many of them there are to sell per night: 1 to 10000.
    pub units: u16,
    /// How many guests one unit sleeps: 1 to 20.
    pub capacity: u16,
    /// The floor area of one unit: 1 to 10000, if known.
    pub size_square_meters: Option<u16>,
    /// What it offers, each word once, in the host's order.
    pub amenities: Vec<String>,
    /// The price of one unit for one night; its currency is that of the room for good.
    pub nightly_rate: Money,
    /// Where it is, in words; may be empty.
    pub place: String,
    /// Where it is on the map, if known.
    pub location: Option<Point>,
    /// The zone in which its nights are counted; for good.
    pub time_zone: TimeZone,
    /// When guests may come.
    pub check_in_time: Time,
    /// When guests must have left.
    pub check_out_time: Time,
    /// What cancelling gives back.
    pub cancellation_policy: CancellationPolicy,
    /// The host's rating, 0 to 5, if there is one.
    pub rating: Option<f64>,
}

/// An update of a room's details.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The new details; only those in `fields` count.
    pub said: Details,
    /// The fields that are replaced, by their names.
    pub fields: Vec<&'static str>,
    /// The etag that the room must have; empty for any.
    pub etag: String,
}

impl Details {
    /// The required details, with the default for everything else.
    pub fn new(display_name: String, nightly_rate: Money, time_zone: TimeZone) -> Self {
        Self {
            number: String::new(),
            display_name,
            description: String::new(),
            units: DEFAULT_UNITS,
            capacity: DEFAULT_CAPACITY,
            size_square_meters: None,
            amenities: Vec::new(),
            nightly_rate,
            place: String::new(),
            location: None,
            time_zone,
            check_in_time: DEFAULT_CHECK_IN,
            check_out_time: DEFAULT_CHECK_OUT,
            cancellation_policy: CancellationPolicy::until_start(),
            rating: None,
        }
    }

    /// Applies `update`. Currency and time zone cannot change, because prices and nights already sold are counted in them.
    pub fn replace(&mut self, update: &Update) -> Result<(), Fault> {
        macro_rules! replace {
            ($($field:ident),* $(,)?) => {
                $(if update.fields.contains(&stringify!($field)) { self.$field.clone_from(&update.said.$field); })*
            };
        }
        let (sold, zone) = (self.nightly_rate.code(), self.time_zone.clone());
        replace!(number, display_name, description, units, capacity, size_square_meters, amenities, nightly_rate);
        replace!(place, location, time_zone, check_in_time, check_out_time, cancellation_policy, rating);
        if self.nightly_rate.code() != sold {
            return Err(Fault::CurrencyMismatch { sold, stated: self.nightly_rate.code() });
        }
        if self.time_zone != zone {
            return Err(Fault::TimeZoneFixed { current: zone_name(&zone).to_owned() });
        }
        Ok(())
    }

    /// The time zone's IANA name.
    pub fn zone_name(&self) -> &str {
        zone_name(&self.time_zone)
    }
}

/// A time zone's IANA name. Only zones that were found under one get in here.
fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}
