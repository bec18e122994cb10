//! Why a token is not believed, and what its bearer is told.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::get_current_timestamp;
use mesh_foundation::error::{Reason, Refusal};

use super::LEEWAY_SECONDS;
use crate::auth::issuer::{Issuer, Known};

/// When a token is shown again whose issuer cannot be asked.
const ASK_AGAIN: Duration = Duration::from_secs(2);

pub(super) enum Doubt {
    Refused(Refusal),
    UnknownKey(UnknownKey),
}

/// A token that is signed with a key that its issuer may have by now.
pub(super) struct UnknownKey {
    pub issuer: Arc<Issuer>,
    /// What was known of the issuer when the key was looked for.
    pub known: Known,
    /// When it says that it was issued, in seconds since 1970. Nobody vouches for that: it decides what its bearer is told of a
    /// token that is not believed either way.
    pub issued: Option<u64>,
}

impl UnknownKey {
    /// Whether no waiting brings it. A token that claims to be from the future does not say when it was issued: its bearer would be
    /// told to wait until then.
    fn is_for_good(&self, asked: bool) -> bool {
        let latest = get_current_timestamp().saturating_add(LEEWAY_SECONDS);
        self.known.is_all(self.issued.filter(|issued| *issued <= latest), asked)
    }
}

impl From<Refusal> for Doubt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Doubt {
    /// What the bearer is told: `unknown` of a key that its issuer surely does not have, for which it may have been `asked` just now.
    /// As long as that is not sure the token may be good, and a client that were told otherwise would log its user out; but one that
    /// were told to try again with a token of a withdrawn key would never log its user in.
    pub(super) fn refusal(self, asked: bool, unknown: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::UnknownKey(key) if key.is_for_good(asked) => unknown(),
            Self::UnknownKey(_) => Refusal::new(
                Reason::IssuerUnavailable,
                "the token's key is not known yet, or its issuer cannot be asked for it right now, so the token can be neither \
                 believed nor refused",
            )
            .hint("try again shortly, with the same token")
            .retry_after(ASK_AGAIN),
        }
    }
}
