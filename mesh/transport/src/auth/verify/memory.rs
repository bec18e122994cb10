//! A cache of verified tokens, so that a caller's next call costs a hash instead of a signature check.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Identity;
use crate::auth::issuer::{Issuer, KeySet};

/// How many tokens are cached.
pub(super) const REMEMBERED: usize = 4_096;

/// The verified bearers, by the hash of the token.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<[u8; 32], Verified>>);

/// A token that was accepted.
struct Verified {
    identity: Identity,
    /// The fetched keys that it was verified with: the entry is valid as long as they are current.
    by: Option<Fetched>,
}

/// An issuer whose keys are fetched, and those that it had at one moment.
pub(super) struct Fetched {
    pub issuer: Arc<Issuer>,
    pub keys: Arc<KeySet>,
}

impl Fetched {
    fn is_current(&self) -> bool {
        self.issuer.keys().is_some_and(|current| Arc::ptr_eq(&current, &self.keys))
    }
}

impl Memory {
    /// Whose token it was, if that is still good.
    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<Identity> {
        let verified = self.lock();
        let Verified { identity, by } = verified.get(digest)?;
        let good = jsonwebtoken::get_current_timestamp() < identity.expires
            // A key that its issuer has withdrawn proves nothing any more.
            && by.as_ref().is_none_or(Fetched::is_current);
        good.then(|| identity.clone())
    }

    /// Caches the bearer of a token, and the keys that it was verified with if they were fetched.
    pub(super) fn keep(&self, digest: [u8; 32], identity: Identity, by: Option<Fetched>) {
        let mut verified = self.lock();
        if verified.len() >= REMEMBERED {
            let now = jsonwebtoken::get_current_timestamp();
            verified.retain(|_, verified| now < verified.identity.expires);
        }
        // Full of tokens that are still valid: clearing the cache costs one signature check for each.
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, Verified { identity, by });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
