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
    /// Its issuer may have this key by now.
    UnknownKey(Arc<Issuer>),
}

impl From<Refusal> for Doubt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Doubt {
    /// What the bearer is told: `unknown` of a key that is not known, if its issuer was `asked` for it and answered. As long as it was
    /// not, the token may be good, and a client that were told otherwise would log its user out.
    pub(super) fn refusal(self, asked: bool, unknown: impl FnOnce() -> Refusal) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::UnknownKey(issuer) if asked && !issuer.is_unsure() => unknown(),
            Self::UnknownKey(_) => Refusal::new(
                Reason::IssuerUnavailable,
                "the token's issuer cannot be asked for its keys right now, so the token can be neither believed nor refused",
            )
            .hint("try again shortly, with the same token")
            .retry_after(ASK_AGAIN),
        }
    }
}
