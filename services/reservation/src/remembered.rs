//! Rooms as they were last read, so that a booking need not read its own. Any of them may be out of date: the statement that takes the
//! nights looks at the room's version, and before a refusal the room is read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::domain::RoomOffer;

/// How many are kept.
const MOST: usize = 4_096;

/// Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Remembered(Arc<Mutex<HashMap<Uuid, Room>>>);

struct Room {
    offer: Arc<RoomOffer>,
    /// Whether somebody was just refused for lack of units.
    is_sought: bool,
}

impl Remembered {
    /// The room.
    pub fn get(&self, id: Uuid) -> Option<Arc<RoomOffer>> {
        self.lock().get(&id).map(|room| room.offer.clone())
    }

    /// Whether somebody was just refused the room for lack of units.
    pub fn is_sought(&self, id: Uuid) -> bool {
        self.lock().get(&id).is_some_and(|room| room.is_sought)
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
        let is_sought = rooms.get(&offer.id).is_some_and(|room| room.is_sought);
        rooms.insert(offer.id, Room { offer, is_sought });
    }

    /// Forgets a room that has changed.
    pub fn forget(&self, id: Uuid) {
        self.lock().remove(&id);
    }

    /// Notes whether somebody was refused the room for lack of units.
    pub fn set_sought(&self, id: Uuid, is_sought: bool) {
        if let Some(room) = self.lock().get_mut(&id) {
            room.is_sought = is_sought;
        }
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
