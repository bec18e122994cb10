//! Nights: the held, sold, blocked and available units of each.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
pub use mesh::types::Nights;

use super::Room;

/// The effect of a stay on its nights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Occupancy {
    /// Its units are held for a payment that is under way.
    Held,
    /// Its units are sold and paid for.
    Charged,
    /// None any more: the stay was never paid, or it was cancelled.
    Released,
}

impl Occupancy {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A stay in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Its nights.
    pub nights: Nights,
    /// Its units on each of them.
    pub units: u16,
    /// Its effect on them.
    pub occupancy: Occupancy,
}

/// The blocked units, by night, without nights that have none.
pub type Blocked = BTreeMap<Date, u16>;

/// One night of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// The date on which it begins.
    pub date: Date,
    /// The room's units; the sold units if those are more.
    pub total: u32,
    /// Units held for payments that are under way.
    pub held: u32,
    /// Units sold and paid for.
    pub charged: u32,
    /// Blocked units.
    pub blocked: u32,
    /// Whether the night can be booked: the room is let, and the night is neither over nor too far ahead.
    pub on_sale: bool,
}

/// The state of a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NightState {
    /// Nothing is sold.
    Vacant,
    /// Some units are sold, others are not.
    PartlyCharged,
    /// All units are sold.
    Charged,
    /// Nothing is sold, and all units are blocked.
    Blocked,
}

impl Night {
    /// The units that can still be sold. Blocked units may be sold already, because blocking does not affect stays.
    pub fn left(&self) -> u32 {
        if !self.on_sale {
            return 0;
        }
        self.total.saturating_sub(self.held + self.charged + self.blocked)
    }

    /// The state of the night.
    pub fn state(&self) -> NightState {
        match self.charged {
            0 if self.blocked >= self.total => NightState::Blocked,
            0 => NightState::Vacant,
            charged if charged >= self.total => NightState::Charged,
            _ => NightState::PartlyCharged,
        }
    }
}

/// The nights of a room at `now`, as its stays and blocks leave them.
pub fn calendar(room: &Room, nights: Nights, stays: &[Stay], blocked: &Blocked, now: Timestamp) -> Vec<Night> {
    let (units, window) = (room.details.units, room.booking_window(now));
    let mut taken: BTreeMap<Date, (u32, u32)> = nights.dates().map(|date| (date, (0, 0))).collect();
    for stay in stays {
        for (_, (held, charged)) in taken.range_mut(stay.nights.first()..stay.nights.end()) {
            match stay.occupancy {
                Occupancy::Held => *held += u32::from(stay.units),
                Occupancy::Charged => *charged += u32::from(stay.units),
                Occupancy::Released => {}
            }
        }
    }
    taken
        .into_iter()
        .map(|(date, (held, charged))| Night {
            date,
            // Lowering the units cancels no stay: units sold beyond them are released with their stays.
            total: u32::from(units).max(held + charged),
            held,
            charged,
            blocked: u32::from(blocked.get(&date).copied().unwrap_or(0).min(units)),
            on_sale: room.delete_time.is_none() && window.has_night(date),
        })
        .collect()
}
