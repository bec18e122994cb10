//! Issuers of people's tokens other than our own: OpenID Connect providers, whose keys are fetched where they publish them.
//!
//! One [`Issuers`] serves all contexts of a process, so that a key is fetched once. Each issuer has one task, and only that task
//! fetches: it does so from time to time, and when a token names a key that is not known, but never twice within a few seconds,
//! however many such tokens come. The last good keys stay in use for as long as the issuer cannot be asked.
//!
//! Until an issuer has answered for the first time, its tokens are neither good nor bad. Their bearers are told so
//! (`ISSUER_UNAVAILABLE`, try again), and not that their tokens were invalid, after which a client would log its user out. The same
//! goes for a token whose key is missed while the issuer cannot be asked, because it rests or because too many wait already, and for one
//! that is so new that its key may not be published yet; unless the token was issued well before the issuer was last asked: then its
//! key has been withdrawn, and no waiting brings it back.

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

/// Why an issuer cannot be used at all. That it cannot be reached is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A key file cannot be read.
    #[error("the key file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
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

/// How often and for how long an issuer is asked.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two fetches when all is well.
    refresh: Duration,
    /// Between two fetches in any case.
    rest: Duration,
    /// How long one fetch may take, of both documents together.
    timeout: Duration,
}

impl Pace {
    /// A rest short enough for whoever logs in right after a rotation, and long enough for any issuer.
    const REST: Duration = Duration::from_secs(10);
    const TIMEOUT: Duration = Duration::from_secs(3);
}

/// How long a key may be missing where its issuer publishes it when tokens are signed with it already: what is published is often a
/// cache, of a minute as a rule. Far more than clocks are apart.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);

/// Calls that wait for a key at once. More of them are told to try again: nobody has shown who they are yet.
const WAITING: usize = 64;

/// The issuers of a process. Cheap to clone; clones share the keys.
#[derive(Clone, Default)]
pub struct Issuers(Arc<HashMap<String, Arc<Issuer>>>);

impl Issuers {
    /// The issuers that are configured. Reads key files, and asks nobody yet.
    pub fn new(auth: &AuthConfig) -> Result<Self, IssuerError> {
        let issuers = auth.issuers.iter().map(|config| {
            let pace = Pace { refresh: config.refresh(), rest: Pace::REST, timeout: Pace::TIMEOUT };
            Ok((config.issuer.clone(), Arc::new(Issuer::new(config, pace)?)))
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
    pace: Pace,
    state: watch::Sender<State>,
    /// Told that a token names a key that is not known.
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
    /// Whether a key that is not among these is surely none of its own. Of a token that says when it was `issued`, in seconds since
    /// 1970 by the issuer's clock, this is known when the issuer has shown its keys late enough after that; of one that does not, when
    /// the issuer was `asked` and has answered.
    pub fn is_all(&self, issued: Option<u64>, asked: bool) -> bool {
        match (issued, self.answered) {
            (Some(issued), Some(answered)) => issued.saturating_add(PUBLISHED_WITHIN.as_secs()) < answered,
            _ => asked && !self.unsure,
        }
    }
}

impl Issuer {
    fn new(config: &IssuerConfig, pace: Pace) -> Result<Self, IssuerError> {
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
            pace,
            state: watch::Sender::new(state),
            wanted: Notify::new(),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// The keys that it signs with, as far as is known.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        self.state.borrow().keys.clone()
    }

    /// All of it under one lock: a fetch that ends between two looks would make a key that has just come a withdrawn one.
    pub fn known(&self) -> Known {
        let state = self.state.borrow();
        let unsure = state.failing || state.keys.is_none();
        Known { keys: state.keys.clone(), unsure, answered: state.answered }
    }

    /// Waits for a fetch, if one may be made now: a key is not known. Not longer than a fetch takes. Tells whether all of the issuer's
    /// keys have been seen since: otherwise the key may be one of them for all that is known.
    pub async fn look_again(&self) -> bool {
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
        // The fetch that is under way may have begun before the key was there; the one after it is for the next caller to ask for.
        let ended = timeout(self.pace.timeout, state.wait_for(|now| now.fetches > fetches)).await;
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
