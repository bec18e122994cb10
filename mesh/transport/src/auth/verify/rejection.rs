//! Why a token is not accepted, and how its bearer is refused.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::get_current_timestamp;
use mesh_foundation::error::{Reason, Refusal};

use super::LEEWAY_SECONDS;
use crate::auth::issuer::{Issuer, Known};

/// After how long a token may be tried again whose issuer cannot be asked.
const ASK_AGAIN: Duration = Duration::from_secs(2);

pub(super) enum Rejection {
    Refused(Refusal),
    UnknownKey(UnknownKey),
}

/// A token with an unknown key that its issuer may have published by now.
pub(super) struct UnknownKey {
    pub issuer: Arc<Issuer>,
    /// The state of the issuer when the key was looked up.
    pub known: Known,
    /// The issue time that it claims, in seconds since 1970. It is not verified: it only decides how the token is refused.
    pub issued: Option<u64>,
}

impl UnknownKey {
    /// Whether waiting cannot help. An issue time in the future is ignored: otherwise the bearer would be told to wait until then.
    fn is_for_good(&self, asked: bool) -> bool {
        let latest = get_current_timestamp().saturating_add(LEEWAY_SECONDS);
        self.known.is_all(self.issued.filter(|issued| *issued <= latest), asked)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Rejection {
    /// How the bearer is refused. If the issuer surely does not have the key (it may just have been `asked`): `unknown`, because a client
    /// that tries again with a withdrawn key would never log its user in. Otherwise: try again, because the token may be valid, and a
    /// client with an invalid token logs its user out.
    pub(super) fn refusal(self, asked: bool, unknown: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::UnknownKey(key) if key.is_for_good(asked) => unknown(),
            Self::UnknownKey(_) => Refusal::new(
                Reason::ISSUER_UNAVAILABLE,
                "the token's key is not known yet, or its issuer cannot be asked for it right now, so the token can be neither \
                 believed nor refused",
            )
            .hint("try again shortly, with the same token")
            .retry_after(ASK_AGAIN),
        }
    }
}
