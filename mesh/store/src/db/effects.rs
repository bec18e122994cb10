//! What waits for a transaction to commit.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
};

type Effect = Box<dyn FnOnce() + Send>;

/// What one run of a transaction has left to do once it is committed, in order. Gone with the run if it is not. Clones are one.
#[derive(Clone, Default)]
pub(super) struct Effects(Arc<Mutex<Vec<Effect>>>);

impl Effects {
    /// Adds something.
    pub fn add(&self, effect: Effect) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }

    /// Does all of it.
    pub fn perform(&self) {
        // Not under the lock, which is then nobody's concern.
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
