//! Checks the sold units of each night.

use std::collections::HashMap;

use mesh::fields::name;
use reservation::audit::NightRow;
use uuid::Uuid;

use crate::audit::{findings::Verdict, index::Index, rule::Rule};

pub fn check(index: &Index<'_>, verdict: &mut Verdict) {
    let mut held: HashMap<(Uuid, &str), i64> = HashMap::new();
    for (_, reserved) in index.reservations().filter(|(entry, _)| entry.state.holds_units()) {
        for night in &reserved.nights {
            *held.entry((reserved.room, night)).or_default() += i64::from(reserved.units);
        }
    }
    for night in &index.reading.nights {
        let held = held.remove(&(night.room, night.night.as_str())).unwrap_or_default();
        let resource = resource(night.room, &night.night);
        let taken = (i64::from(night.taken) != held)
            .then(|| format!("{} units are taken, but its stays hold {held}", night.taken));
        verdict.note(Rule::UnitsTaken, &resource, taken);
        verdict.note(Rule::Capacity, &resource, beyond_capacity(night));
    }
    for ((room, night), held) in held {
        verdict.note(
            Rule::UnitsTaken,
            resource(room, night),
            Some(format!("stays hold {held} units, but none is taken")),
        );
    }
}

fn beyond_capacity(night: &NightRow) -> Option<String> {
    let NightRow { offered, capacity, taken, .. } = *night;
    if !(0..=capacity).contains(&taken) {
        return Some(format!("{taken} units are taken of {capacity}"));
    }
    // A night's capacity exceeds the offer only while it is oversold.
    (capacity != offered.max(taken))
        .then(|| format!("its capacity is {capacity}, but {offered} units are offered and {taken} are taken"))
}

fn resource(room: Uuid, night: &str) -> String {
    format!("{} on {night}", name("rooms", room))
}
