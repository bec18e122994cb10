//! The timeline of a case from its entries, in any order of arrival.

use std::{cmp::max, collections::HashMap};

use contracts::mypage::v1::{TimelineEntry, timeline_entry::Cause};
use uuid::Uuid;

use crate::{store::entity::timeline::Model as Entry, view};

/// The timeline of one case, the oldest entry first. `causes` are the full names of the events that caused some of them.
///
/// The state before each is that of the version before it. Nor does an entry ever stand before an older version of the same
/// resource, although the clock of the replica that wrote it may have been behind.
pub fn tell(mut entries: Vec<Entry>, causes: &HashMap<Uuid, String>) -> Vec<TimelineEntry> {
    entries.sort_by(|a, b| (&a.subject, a.sequence).cmp(&(&b.subject, b.sequence)));
    let mut told = Vec::with_capacity(entries.len());
    let mut before: Option<(_, Entry)> = None;
    for entry in entries {
        let own_place = (entry.occur_time, entry.event_id);
        let (place, from_state) = match before {
            Some((place, older)) if older.subject == entry.subject => (max(place, own_place), older.state),
            _ => (own_place, String::new()),
        };
        told.push((place, one(&entry, from_state, causes)));
        before = Some((place, entry));
    }
    // A stable sort: entries with equal keys stay in the order of their versions.
    told.sort_by_key(|(place, _)| *place);
    told.into_iter().map(|(_, entry)| entry).collect()
}

fn one(entry: &Entry, from_state: String, causes: &HashMap<Uuid, String>) -> TimelineEntry {
    let cause_event = entry.causation_id.and_then(|id| causes.get(&id));
    TimelineEntry {
        occur_time: Some(view::instant(entry.occur_time)),
        event: entry.kind.clone(),
        cause: Some(
            cause_event.map_or_else(|| Cause::Actor(entry.actor.clone()), |kind| Cause::CauseEvent(kind.clone())),
        ),
        from_state,
        to_state: entry.state.clone(),
    }
}
