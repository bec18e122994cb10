//! The aggregate: a room, and its host's commands.

use jiff::{Timestamp, civil::Date};
use mesh::BookingWindow;
use uuid::Uuid;

use super::{Blocked, Details, Fault, Nights, Update};

/// A room.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// Its id.
    pub id: Uuid,
    /// Its host: `users/…`.
    pub host: String,
    /// 1 at first, and one more with every change.
    pub version: i64,
    /// What its host says about it.
    pub details: Details,
    /// When it was registered.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
    /// When it was deleted; none while it is active.
    pub delete_time: Option<Timestamp>,
}

/// A change of a room, and the room after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The room after the change.
    pub room: Room,
    /// The change.
    pub fact: Fact,
}

/// A change of a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It was registered.
    Created,
    /// Its details were updated.
    Updated,
    /// It was deleted, and takes no new stays.
    Deleted(OnReserved),
    /// Its blocked units changed.
    NightsBlocked {
        /// The request.
        block: Block,
        /// The blocked units of each requested night, after the change.
        blocked: Vec<(Date, u16)>,
    },
}

/// What happens to the stays of a room that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReserved {
    /// They take place.
    Keep,
    /// There must be none.
    Refuse,
    /// They are cancelled and refunded.
    Cancel,
}

/// Stays of a room that take units and are not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenStays {
    /// How many.
    pub count: u64,
    /// The first of their reservations, in the order in which they begin.
    pub first: Vec<Uuid>,
}

/// A request to block units, or to unblock them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The nights.
    pub nights: Nights,
    /// How many more units on each; all if none is named.
    pub units: Option<u16>,
    /// Unblocks units instead.
    pub unblock: bool,
}

impl Room {
    /// Registers a room.
    pub fn register(id: Uuid, host: String, details: Details, now: Timestamp) -> Change {
        let room = Self { id, host, version: 1, details, create_time: now, update_time: now, delete_time: None };
        Change { room, fact: Fact::Created }
    }

    /// The room's resource name.
    pub fn name(&self) -> String {
        mesh::fields::name("rooms", self.id)
    }

    /// Differs with every change of the room.
    pub fn etag(&self) -> String {
        format!("v{}", self.version)
    }

    /// Updates the details; nothing changes if they are the same.
    pub fn update(&self, update: &Update, now: Timestamp) -> Result<Option<Change>, Fault> {
        self.check_active()?;
        self.check_etag(&update.etag)?;
        let mut details = self.details.clone();
        details.replace(update)?;
        if details == self.details {
            return Ok(None);
        }
        Ok(Some(Self { details, ..self.clone() }.changed(Fact::Updated, now)))
    }

    /// Deletes the room, which has that many stays that are not over. Nothing changes if it is deleted already, whatever the etag, because
    /// a caller that repeats a deletion cannot know the new etag.
    pub fn delete(
        &self,
        etag: &str,
        on_reserved: OnReserved,
        open: OpenStays,
        now: Timestamp,
    ) -> Result<Option<Change>, Fault> {
        if self.delete_time.is_some() {
            return Ok(None);
        }
        self.check_etag(etag)?;
        if on_reserved == OnReserved::Refuse && open.count > 0 {
            return Err(Fault::Reserved { count: open.count, first: open.first });
        }
        Ok(Some(Self { delete_time: Some(now), ..self.clone() }.changed(Fact::Deleted(on_reserved), now)))
    }

    /// Blocks or unblocks units; `blocked` has the blocked units of those nights now. Nothing changes if every night is as requested
    /// already.
    pub fn block(&self, block: Block, blocked: &Blocked, now: Timestamp) -> Result<Option<Change>, Fault> {
        self.check_active()?;
        self.booking_window(now).check(block.nights.first())?;
        let units = self.details.units;
        let amount = block.units.unwrap_or(units);
        // The units may have been lowered since they were blocked.
        let before = |date| blocked.get(&date).copied().unwrap_or(0).min(units);
        let after = |date| {
            if block.unblock {
                before(date).saturating_sub(amount)
            } else {
                before(date).saturating_add(amount).min(units)
            }
        };
        if block.nights.dates().all(|date| after(date) == before(date)) {
            return Ok(None);
        }
        let blocked = block.nights.dates().map(|date| (date, after(date))).collect();
        Ok(Some(self.clone().changed(Fact::NightsBlocked { block, blocked }, now)))
    }

    /// The days on which a stay in the room may begin.
    pub fn booking_window(&self, now: Timestamp) -> BookingWindow {
        BookingWindow::at(now, &self.details.time_zone, self.details.check_out_time)
    }

    /// The earliest check-out date of a stay that is not over: today until check-out time, then tomorrow.
    pub fn first_open_check_out(&self, now: Timestamp) -> Date {
        self.booking_window(now).first().tomorrow().unwrap_or(Date::MAX)
    }

    fn changed(self, fact: Fact, now: Timestamp) -> Change {
        Change { room: Self { version: self.version + 1, update_time: now, ..self }, fact }
    }

    fn check_active(&self) -> Result<(), Fault> {
        if self.delete_time.is_some() { Err(Fault::Deleted) } else { Ok(()) }
    }

    fn check_etag(&self, etag: &str) -> Result<(), Fault> {
        if etag.is_empty() || etag == self.etag() { Ok(()) } else { Err(Fault::EtagMismatch { current: self.etag() }) }
    }
}
