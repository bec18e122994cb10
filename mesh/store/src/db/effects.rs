//! Effects that wait for a transaction to commit.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
};

type Effect = Box<dyn FnOnce() + Send>;

/// The effects that one attempt of a transaction runs after its commit, in order. Dropped if it does not commit. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Effects(Arc<Mutex<Vec<Effect>>>);

impl Effects {
    /// Adds an effect.
    pub(super) fn add(&self, effect: Effect) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }

    /// Runs all effects.
    pub(super) fn perform(&self) {
        // Run outside the lock, so that an effect may take it.
        let effects = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for effect in effects {
            effect();
        }
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").finish_non_exhaustive()
    }
}
