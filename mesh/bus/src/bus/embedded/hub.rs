//! Wakes waiting consumers. The bus is one process, so a publisher can wake exactly the consumers that it concerns, and none has to poll.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::bus::matches;

/// The consumers of this process, by name.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<HashMap<String, Hearer>>);

#[derive(Debug)]
struct Hearer {
    filters: Vec<String>,
    signal: watch::Sender<()>,
}

impl Hub {
    /// Adds a member to a consumer. The filters of the newest member apply to the whole consumer.
    pub(super) fn join(&self, consumer: &str, filters: &[String]) -> watch::Receiver<()> {
        let mut hearers = self.hearers();
        let hearer = hearers
            .entry(consumer.to_owned())
            .or_insert_with(|| Hearer { filters: Vec::new(), signal: watch::Sender::new(()) });
        hearer.filters = filters.to_vec();
        hearer.signal.subscribe()
    }

    /// Wakes the consumers whose filters match any of `routes`.
    pub(super) fn published<'a>(&self, routes: impl Iterator<Item = &'a str> + Clone) {
        for hearer in self.hearers().values() {
            if routes.clone().any(|route| is_heard(&hearer.filters, route)) {
                hearer.signal.send_replace(());
            }
        }
    }

    /// Wakes the members of `consumer`, because the due time of a message has changed.
    pub(super) fn rescheduled(&self, consumer: &str) {
        if let Some(hearer) = self.hearers().get(consumer) {
            hearer.signal.send_replace(());
        }
    }

    fn hearers(&self) -> MutexGuard<'_, HashMap<String, Hearer>> {
        // A panic elsewhere leaves the map consistent: each entry is written at once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether any of `filters` matches `route`.
pub(super) fn is_heard(filters: &[String], route: &str) -> bool {
    filters.iter().any(|filter| matches(filter, route))
}
