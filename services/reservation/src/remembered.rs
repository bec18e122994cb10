//! Rooms as they were last read, so that a booking need not read its own. Any of them may be out of date: the statement that takes the
//! nights looks at the room's version, and before a refusal the room is read.
//!
//! With each room stands how many units this process has sold of its nights, as far as it remembers: a hint when to look first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::civil::Date;
use uuid::Uuid;

use crate::domain::{RoomOffer, Stay};

/// How many are kept.
const MOST: usize = 4_096;
/// How many nights of one are kept, and those of one stay.
const MOST_NIGHTS: usize = 128;

/// Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Remembered(Arc<Mutex<HashMap<Uuid, Room>>>);

struct Room {
    offer: Arc<RoomOffer>,
    sold: HashMap<Date, u32>,
}

impl Remembered {
    /// The room.
    pub fn get(&self, id: Uuid) -> Option<Arc<RoomOffer>> {
        self.lock().get(&id).map(|room| room.offer.clone())
    }

    /// Whether a night of the stay may have too few units left.
    pub fn may_be_short(&self, id: Uuid, stay: &Stay) -> bool {
        let rooms = self.lock();
        let Some(Room { offer, sold }) = rooms.get(&id) else { return false };
        stay.nights().any(|night| sold.get(&night).is_some_and(|sold| sold.saturating_add(stay.units) > offer.units))
    }

    /// Changes how many units of each night of the stay are sold: `change` is told how many were, of how many.
    pub fn set_sold(&self, id: Uuid, stay: &Stay, change: impl Fn(u32, u32) -> u32) {
        let mut rooms = self.lock();
        let Some(Room { offer, sold }) = rooms.get_mut(&id) else { return };
        if sold.len() >= MOST_NIGHTS {
            sold.clear();
        }
        for night in stay.nights() {
            let sold = sold.entry(night).or_default();
            *sold = change(*sold, offer.units);
        }
    }

    /// Keeps a room that was read. If there are too many, any other one goes.
    pub fn keep(&self, offer: Arc<RoomOffer>) {
        let mut rooms = self.lock();
        if rooms.len() >= MOST
            && !rooms.contains_key(&offer.id)
            && let Some(other) = rooms.keys().next().copied()
        {
            rooms.remove(&other);
        }
        let sold = rooms.remove(&offer.id).map(|room| room.sold).unwrap_or_default();
        rooms.insert(offer.id, Room { offer, sold });
    }

    /// Forgets a room that has changed.
    pub fn forget(&self, id: Uuid) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert, tests::room};

    #[test]
    fn of_very_many_rooms_some_are_forgotten() {
        let (remembered, offer) = (Remembered::default(), convert::room_offer(&room(1, 1)).expect("room"));
        for number in 0..2 * MOST as u128 {
            remembered.keep(Arc::new(RoomOffer { id: Uuid::from_u128(number), ..offer.clone() }));
        }
        assert_eq!(remembered.lock().len(), MOST);
        assert!(remembered.get(Uuid::from_u128(2 * MOST as u128 - 1)).is_some(), "the last one is there");
    }
}
