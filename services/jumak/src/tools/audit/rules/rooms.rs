//! Checks the rooms that reservation sells against room's own rooms.

use std::collections::HashMap;

use jiff::civil::Date;
use mesh::{BookingWindow, fields::name};
use reservation::audit::RoomRow as KnownRoom;
use room::audit::RoomRow;

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let reading = index.reading;
    let rooms: HashMap<&str, &RoomRow> = reading.rooms.iter().map(|room| (room.name.as_str(), room)).collect();
    let known: HashMap<String, &KnownRoom> =
        reading.known_rooms.iter().map(|room| (name("rooms", room.id), room)).collect();
    for room in reading.rooms.iter().filter(|room| is_told(index, room)) {
        verdict.note(Rule::RoomsKnown, &room.name, otherwise_known(room, known.get(&room.name).copied()));
    }
    for stray in known.keys().filter(|known| !rooms.contains_key(known.as_str())) {
        verdict.note(Rule::RoomsKnown, stray, Some("reservation sells from it, and it is not there".to_owned()));
    }
    check_nights(index, &rooms, verdict);
}

fn otherwise_known(room: &RoomRow, known: Option<&KnownRoom>) -> Option<String> {
    let Some(known) = known else { return Some("reservation does not know it".to_owned()) };
    let deleted = room.delete_time.is_some();
    if (known.version, known.deleted) != (room.version, deleted) {
        return Some(format!(
            "it is in version {}, deleted: {deleted}; reservation has it in version {}, deleted: {}",
            room.version, known.version, known.deleted
        ));
    }
    if (i64::from(known.units), i64::from(known.units_told)) != (room.units.into(), room.units.into()) {
        return Some(format!(
            "it has {} units, and reservation sells {}",
            room.units,
            known.units_told.max(known.units.unsigned_abs())
        ));
    }
    (known.host != room.host || known.nightly_rate != room.nightly_rate).then(|| {
        format!(
            "a night in it costs {} at {}, and reservation sells it for {} at {}",
            room.nightly_rate, room.host, known.nightly_rate, known.host
        )
    })
}

/// The offer of each night is the room's units less the blocked units.
fn check_nights(index: &Index<'_>, rooms: &HashMap<&str, &RoomRow>, verdict: &mut Verdict) {
    let reading = index.reading;
    let mut blocked: HashMap<(String, &str), i32> =
        reading.blocked.iter().map(|row| ((name("rooms", row.room), row.night.as_str()), row.units)).collect();
    for night in &reading.nights {
        let name = name("rooms", night.room);
        let resource = format!("{name} on {}", night.night);
        let kept_back = blocked.remove(&(name.clone(), night.night.as_str())).unwrap_or_default();
        let Some(room) = rooms.get(name.as_str()) else {
            verdict.note(Rule::RoomsKnown, resource, Some("it is a night of a room that is not there".to_owned()));
            continue;
        };
        if is_told(index, room) && is_kept_up(index, room, &night.night) {
            let units = if room.delete_time.is_some() { 0 } else { i32::from(room.units) };
            let offered = Ord::max(units - kept_back, 0);
            let fault = (night.offered != offered).then(|| {
                format!("{} units are offered, where {units} are there and {kept_back} are kept back", night.offered)
            });
            verdict.note(Rule::RoomsKnown, resource, fault);
        }
    }
    for ((name, night), units) in blocked {
        let Some(room) = rooms.get(name.as_str()) else { continue };
        if is_told(index, room) && is_kept_up(index, room, night) {
            let fault = format!("{units} units are kept back, and reservation offers them");
            verdict.note(Rule::RoomsKnown, format!("{name} on {night}"), Some(fault));
        }
    }
}

/// Whether all contexts have had time to handle the events of a room.
pub(super) fn is_told(index: &Index<'_>, room: &RoomRow) -> bool {
    index.newest_event(&room.name).is_none_or(|newest| index.is_late(newest.occur_time))
}

/// Whether a night can still be booked: one that is over stays as it was when the room changes.
fn is_kept_up(index: &Index<'_>, room: &RoomRow, night: &str) -> bool {
    let changed = index.newest_event(&room.name).map_or(index.reading.time, |newest| newest.occur_time);
    // Reservation updates the offer only of nights that can still be booked in the room's time zone.
    let first = BookingWindow::at(changed.max(index.reading.time), &room.time_zone, room.check_out_time).first();
    night.parse::<Date>().is_ok_and(|night| night >= first)
}
