//! Room's events: each change of a room as its event.

use contracts::room::v1::{NightsBlocked, RoomCreated, RoomDeleted, RoomUpdated, nights_blocked, room::OnReserved};
use mesh::{Actor, Event};
use prost::{Message, Name};

use crate::{
    CONTEXT, convert,
    domain::{Change, Fact},
};

/// The event of a change that `actor` made.
pub fn event(change: &Change, actor: &Actor) -> Event {
    let room = Some(convert::room(&change.room));
    match &change.fact {
        Fact::Created => tell(change, actor, &RoomCreated { room }),
        Fact::Updated => tell(change, actor, &RoomUpdated { room }),
        Fact::Deleted(on_reserved) => {
            let on_reserved = OnReserved::from(*on_reserved).into();
            tell(change, actor, &RoomDeleted { room, on_reserved })
        }
        Fact::NightsBlocked { block, blocked } => {
            let nights = blocked
                .iter()
                .map(|(date, units)| nights_blocked::Night {
                    date: date.to_string(),
                    units_blocked: Some(i32::from(*units)),
                })
                .collect();
            let message = NightsBlocked {
                room,
                start_date: block.nights.first().to_string(),
                end_date: block.nights.end().to_string(),
                units: block.units.map(i32::from),
                unblock: block.unblock,
                nights,
            };
            tell(change, actor, &message)
        }
    }
}

fn tell<M: Message + Name>(change: &Change, actor: &Actor, message: &M) -> Event {
    let room = &change.room;
    Event::new(CONTEXT, "room", room.name(), room.version.unsigned_abs(), room.update_time, actor, message)
}
