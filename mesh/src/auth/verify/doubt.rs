//! Why a token is not believed, and what its bearer is told.

use std::{sync::Arc, time::Duration};

use crate::{
    auth::issuer::Issuer,
    error::{Reason, Refusal},
};

/// When a token is shown again whose issuer cannot be asked.
const ASK_AGAIN: Duration = Duration::from_secs(2);

pub(super) enum Doubt {
    Refused(Refusal),
    UnknownKey(UnknownKey),
}

/// A token that is signed with a key that its issuer may have by now.
pub(super) struct UnknownKey {
    pub issuer: Arc<Issuer>,
    /// When it says that it was issued, in seconds since 1970. Nobody vouches for that: it decides what its bearer is told of a
    /// token that is not believed either way.
    pub issued: Option<u64>,
}

impl UnknownKey {
    /// Whether the issuer has shown its keys since the token was made.
    fn is_withdrawn(&self) -> bool {
        self.issued.is_some_and(|issued| self.issuer.has_answered_since(issued))
    }
}

impl From<Refusal> for Doubt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Doubt {
    /// What the bearer is told: `unknown` of a key that is not known, if its issuer was `asked` for it and answered, or has answered
    /// since the token was issued. As long as it has not, the token may be good, and a client that were told otherwise would log its
    /// user out; but one that were told to try again with a token of a withdrawn key would never log its user in.
    pub(super) fn refusal(self, asked: bool, unknown: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::UnknownKey(key) if (asked && !key.issuer.is_unsure()) || key.is_withdrawn() => unknown(),
            Self::UnknownKey(_) => Refusal::new(
                Reason::IssuerUnavailable,
                "the token's issuer cannot be asked for its keys right now, so the token can be neither believed nor refused",
            )
            .hint("try again shortly, with the same token")
            .retry_after(ASK_AGAIN),
        }
    }
}
