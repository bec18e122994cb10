//! The nights of a stay.

use jiff::civil::Date;
use mesh::types::Nights;

/// Some units of a room from a check-in to a check-out; the last night is the one before the check-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The first night.
    pub check_in: Date,
    /// The day of leaving: its night is not part of the stay.
    pub check_out: Date,
    /// How many units of the room.
    pub units: u32,
    /// How many people.
    pub guests: u32,
}

/// Why a stay is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StayError {
    /// More people than fit into the units.
    #[error("is {guests}; {units} unit(s) of this room take at most {most}")]
    TooManyGuests {
        /// How many were wished.
        guests: u32,
        /// How many units.
        units: u32,
        /// How many fit.
        most: u32,
    },
}

impl Stay {
    /// How many nights.
    pub fn count(&self) -> u32 {
        Nights::new(self.check_in, self.check_out).map_or(0, Nights::count)
    }

    /// Each night, in order.
    pub fn nights(&self) -> impl Iterator<Item = Date> + use<> {
        Nights::new(self.check_in, self.check_out).into_iter().flat_map(Nights::dates)
    }

    /// Whether its people fit, with `capacity` of them in each unit.
    pub fn check_guests(&self, capacity: u32) -> Result<(), StayError> {
        let most = self.units.saturating_mul(capacity);
        if self.guests > most {
            return Err(StayError::TooManyGuests { guests: self.guests, units: self.units, most });
        }
        Ok(())
    }
}
