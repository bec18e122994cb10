//! Issuers of people's tokens other than our own: OpenID Connect providers, whose keys are fetched where they publish them.
//!
//! One [`Issuers`] serves all contexts of a process, so that a key is fetched once. Each issuer has one task, and only that task
//! fetches: periodically, and when a token names an unknown key, but at most once in a few seconds, however many such tokens come.
//! If the issuer cannot be asked, its last good keys stay in use.
//!
//! A token with an unknown key is refused in one of two ways:
//!
//! 1. `ISSUER_UNAVAILABLE` (try again) if the key may still appear: the issuer has not answered yet; it cannot be asked now, because
//!    it rests or too many calls wait already; or the token is so new that its key may not be published yet. An invalid token would
//!    make a client log its user out.
//! 2. `TOKEN_INVALID` if the token was issued well before the issuer was last asked: its key has been withdrawn.

mod fetch;
mod keys;
mod source;
mod task;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use mesh_foundation::{background::Background, text};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{Instant, timeout},
};

pub(super) use self::keys::KeySet;
use self::source::Source;
use crate::{
    config::{AuthConfig, IssuerConfig},
    tls::TlsError,
};

/// Why an issuer cannot be used at all. An issuer that cannot be reached is not such an error: it is asked again.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A key file cannot be read.
    #[error("failed to read the key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A key file holds no key that the issuer may sign with.
    #[error("{} holds no key that the issuer {issuer} may sign with", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The issuer.
        issuer: String,
    },
    /// The CA for its certificate cannot be used.
    #[error("the CA of the issuer {issuer} cannot be used")]
    Ca {
        /// The issuer.
        issuer: String,
        /// What is wrong with it.
        #[source]
        source: TlsError,
    },
}

/// How often an issuer is asked, and for how long.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// Between two fetches when all is well.
    refresh: Duration,
    /// Between two fetches in any case.
    rest: Duration,
    /// How long one fetch may take, of both documents together.
    timeout: Duration,
}

impl Timing {
    /// Short enough for a user who logs in right after a rotation, and long enough not to burden an issuer.
    const REST: Duration = Duration::from_secs(10);
    const TIMEOUT: Duration = Duration::from_secs(3);
}

/// How long after an issuer begins to sign with a key the key may still be missing from its published keys. Issuers often serve those
/// from a cache, usually of a minute. Far longer than clocks differ.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);

/// Concurrent calls that wait for a key. Further calls are told to try again, because none of them is authenticated yet.
const WAITING: usize = 64;

/// The issuers of a process. Cheap to clone; clones share the keys.
#[derive(Clone, Default)]
pub struct Issuers(Arc<HashMap<String, Arc<Issuer>>>);

impl Issuers {
    /// The configured issuers. Reads key files; asks no issuer yet.
    pub fn new(auth: &AuthConfig) -> Result<Self, IssuerError> {
        let issuers = auth.issuers.iter().map(|config| {
            let timing = Timing { refresh: config.refresh(), rest: Timing::REST, timeout: Timing::TIMEOUT };
            Ok((config.issuer.clone(), Arc::new(Issuer::new(config, timing)?)))
        });
        Ok(Self(Arc::new(issuers.collect::<Result<_, IssuerError>>()?)))
    }

    /// Starts to fetch keys. An issuer that cannot be reached is a warning.
    pub fn start(&self, background: &Background) {
        for issuer in self.0.values() {
            task::start(issuer.clone(), background);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.get(name)
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuers").field(&self.0.keys()).finish()
    }
}

/// One issuer.
pub(super) struct Issuer {
    pub name: String,
    /// Where in its tokens the roles are.
    pub roles_claim: String,
    /// None for an issuer whose keys are in files.
    source: Option<Source>,
    timing: Timing,
    state: watch::Sender<State>,
    /// Notified when a token names an unknown key.
    wanted: Notify,
    waiting: Semaphore,
}

/// What is known of an issuer.
#[derive(Clone)]
struct State {
    /// The last good keys; none before the first answer.
    keys: Option<Arc<KeySet>>,
    /// How many fetches have ended.
    fetches: u64,
    fetching: bool,
    /// Whether the last one failed.
    failing: bool,
    /// When the next one may begin.
    rested: Instant,
    /// When the last one began that succeeded, in seconds since 1970.
    answered: Option<u64>,
}

/// What was known of an issuer at one moment.
pub(super) struct Known {
    /// The keys that it signs with; none as long as it has shown none.
    pub keys: Option<Arc<KeySet>>,
    /// Whether it cannot be asked.
    unsure: bool,
    /// When the last fetch began that succeeded, in seconds since 1970.
    answered: Option<u64>,
}

impl Known {
    /// Whether an unknown key id can be rejected for good. With an issue time (`issued`, in seconds since 1970): if we fetched the issuer's
    /// keys more than `PUBLISHED_WITHIN` after it. Without one: if we have just `asked` and the issuer answered.
    pub(super) fn is_all(&self, issued: Option<u64>, asked: bool) -> bool {
        match (issued, self.answered) {
            (Some(issued), Some(answered)) => issued.saturating_add(PUBLISHED_WITHIN.as_secs()) < answered,
            _ => asked && !self.unsure,
        }
    }
}

impl Issuer {
    fn new(config: &IssuerConfig, timing: Timing) -> Result<Self, IssuerError> {
        let keys = if config.key_files.is_empty() { None } else { Some(Arc::new(from_files(config)?)) };
        let source = match &keys {
            Some(_) => None,
            None => {
                Some(Source::new(config).map_err(|source| IssuerError::Ca { issuer: config.issuer.clone(), source })?)
            }
        };
        let state = State { keys, fetches: 0, fetching: false, failing: false, rested: Instant::now(), answered: None };
        Ok(Self {
            name: config.issuer.clone(),
            roles_claim: config.roles_claim.clone(),
            source,
            timing,
            state: watch::Sender::new(state),
            wanted: Notify::new(),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// The keys that it signs with, as far as is known.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.state.borrow().keys.clone()
    }

    /// All of it under one lock: if a fetch ended between two reads, a key that has just arrived would look withdrawn.
    pub(super) fn known(&self) -> Known {
        let state = self.state.borrow();
        let unsure = state.failing || state.keys.is_none();
        Known { keys: state.keys.clone(), unsure, answered: state.answered }
    }

    /// Waits for a fetch after an unknown key, if one may be made now; at most as long as a fetch takes. Returns whether the issuer's keys
    /// have been fetched since. If not, the unknown key may be one of them.
    pub(super) async fn look_again(&self) -> bool {
        if self.source.is_none() {
            return true;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else { return false };
        let mut state = self.state.subscribe();
        let (fetching, fetches) = {
            let now = state.borrow_and_update();
            if !now.fetching && Instant::now() < now.rested {
                return false;
            }
            (now.fetching, now.fetches)
        };
        if !fetching {
            self.wanted.notify_one();
        }
        // The fetch under way may have begun before the key was published; the next caller asks for another fetch.
        let ended = timeout(self.timing.timeout, state.wait_for(|now| now.fetches > fetches)).await;
        !fetching && matches!(ended, Ok(Ok(_)))
    }
}

fn from_files(config: &IssuerConfig) -> Result<KeySet, IssuerError> {
    let mut all = KeySet::default();
    for path in &config.key_files {
        let text = text::read(path).map_err(|source| IssuerError::File { path: path.clone(), source })?;
        let found = KeySet::read(&text, config).filter(|found| !found.is_empty());
        all.extend(found.ok_or_else(|| IssuerError::NoKey { path: path.clone(), issuer: config.issuer.clone() })?);
    }
    Ok(all)
}
