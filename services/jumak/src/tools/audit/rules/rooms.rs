//! Checks the rooms that reservation sells against room's own rooms.

use std::collections::HashMap;

use jiff::civil::Date;
use mesh::fields::name;
use reservation::audit::RoomRow as KnownRoom;
use room::audit::Room;

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let rooms: HashMap<String, &Room> = reading.rooms.iter().map(|room| (room.name(), room)).collect();
    let known: HashMap<String, &KnownRoom> =
        reading.known_rooms.iter().map(|room| (name("rooms", room.id), room)).collect();
    for room in reading.rooms.iter().filter(|room| is_caught_up(index, room)) {
        let fault = copy_differs(room, known.get(&room.name()).copied());
        verdict.note(Rule::RoomsKnown, room.name(), fault);
    }
    for stray in known.keys().filter(|known| !rooms.contains_key(*known)) {
        verdict.note(Rule::RoomsKnown, stray, Some("reservation sells it, but room does not have it".to_owned()));
    }
    check_nights(index, &rooms, verdict);
}

fn copy_differs(room: &Room, known: Option<&KnownRoom>) -> Option<String> {
    let Some(known) = known else { return Some("reservation has no copy of it".to_owned()) };
    let (details, deleted) = (&room.details, room.delete_time.is_some());
    if (known.version, known.deleted) != (room.version, deleted) {
        return Some(format!(
            "it has version {}, deleted: {deleted}; reservation's copy has version {}, deleted: {}",
            room.version, known.version, known.deleted
        ));
    }
    if (i64::from(known.units), i64::from(known.units_told)) != (details.units.into(), details.units.into()) {
        return Some(format!(
            "it has {} units, but reservation sells {}",
            details.units,
            known.units_told.max(known.units.unsigned_abs())
        ));
    }
    (known.host != room.host || known.nightly_rate != details.nightly_rate).then(|| {
        format!(
            "a night costs {} at {}, but reservation sells it for {} at {}",
            details.nightly_rate, room.host, known.nightly_rate, known.host
        )
    })
}

/// Checks each night: the offered units are the room's units less the blocked units.
fn check_nights(index: &Index<'_>, rooms: &HashMap<String, &Room>, verdict: &mut Verdict) {
    let reading = index.reading;
    let mut blocked: HashMap<(String, &str), i32> =
        reading.blocked.iter().map(|row| ((name("rooms", row.room), row.night.as_str()), row.units)).collect();
    for night in &reading.nights {
        let name = name("rooms", night.room);
        let resource = format!("{name} on {}", night.night);
        let kept_back = blocked.remove(&(name.clone(), night.night.as_str())).unwrap_or_default();
        let Some(room) = rooms.get(&name) else {
            verdict.note(Rule::RoomsKnown, resource, Some("its room does not exist".to_owned()));
            continue;
        };
        if is_caught_up(index, room) && is_kept_up(index, room, &night.night) {
            let units = if room.delete_time.is_some() { 0 } else { i32::from(room.details.units) };
            let offered = Ord::max(units - kept_back, 0);
            let fault = (night.offered != offered).then(|| {
                format!(
                    "{} units are offered, but the room has {units} and its host keeps back {kept_back}",
                    night.offered
                )
            });
            verdict.note(Rule::RoomsKnown, resource, fault);
        }
    }
    for ((name, night), units) in blocked {
        let Some(room) = rooms.get(&name) else { continue };
        if is_caught_up(index, room) && is_kept_up(index, room, night) {
            let fault = format!("the host keeps back {units} units, but reservation offers them");
            verdict.note(Rule::RoomsKnown, format!("{name} on {night}"), Some(fault));
        }
    }
}

/// Whether all contexts have had time to handle the events of a room.
pub(super) fn is_caught_up(index: &Index<'_>, room: &Room) -> bool {
    index.newest_event(&room.name()).is_none_or(|newest| index.is_late(newest.occur_time))
}

/// Whether reservation still updates the night: it does not update past nights when the room changes.
fn is_kept_up(index: &Index<'_>, room: &Room, night: &str) -> bool {
    let changed = index.newest_event(&room.name()).map_or(index.reading.time, |newest| newest.occur_time);
    // Only nights that can still be booked in the room's time zone are updated.
    let first = room.booking_window(changed.max(index.reading.time)).first();
    night.parse::<Date>().is_ok_and(|night| night >= first)
}
