//! Tokens that were verified before, so that a caller's hundredth call costs a hash and not a signature.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Identity;
use crate::auth::issuer::{Issuer, KeySet};

/// How many are remembered.
pub(super) const REMEMBERED: usize = 4_096;

/// What was verified, by the hash of the token.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<[u8; 32], Verified>>);

/// A token that was believed.
struct Verified {
    identity: Identity,
    /// By which fetched keys: with them goes the belief.
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
    pub fn find(&self, digest: &[u8; 32]) -> Option<Identity> {
        let verified = self.lock();
        let Verified { identity, by } = verified.get(digest)?;
        let good = jsonwebtoken::get_current_timestamp() < identity.expires
            // A key that its issuer has withdrawn vouches for nobody any more.
            && by.as_ref().is_none_or(Fetched::is_current);
        good.then(|| identity.clone())
    }

    /// Remembers whose token it is, and by whose keys if they were fetched.
    pub fn keep(&self, digest: [u8; 32], identity: Identity, by: Option<Fetched>) {
        let mut verified = self.lock();
        if verified.len() >= REMEMBERED {
            let now = jsonwebtoken::get_current_timestamp();
            verified.retain(|_, verified| now < verified.identity.expires);
        }
        // Full of tokens that are still good: to forget them all costs each a signature, once.
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, Verified { identity, by });
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
