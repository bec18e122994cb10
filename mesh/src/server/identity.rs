//! Who is calling.

use std::time::Duration;

use http::header::AUTHORIZATION;
use tokio::time::Instant;

use super::layer::{Around, Call, Reply, Rest, refuse};
use crate::{auth::verify::Verifier, call::Caller};

/// What a handler is told of a stream that has no deadline: a year, as good as for ever.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Verifies the token and tells the handler, by a [`Caller`] in the request's extensions, whose it was.
#[derive(Clone)]
pub(super) struct Identity(pub Verifier);

impl Around for Identity {
    async fn around(&self, mut call: Call, rest: &impl Rest) -> Reply {
        // Taken out: no handler needs the token, and what does not have it cannot log it or pass it on.
        let authorization = call.request.headers_mut().remove(AUTHORIZATION);
        let identity = match self.0.authenticate(authorization.as_ref()) {
            Ok(identity) => identity,
            Err(refusal) => return refuse(refusal),
        };
        if let Some(user) = &identity.on_behalf_of {
            tracing::info!(caller = identity.principal.name(), on_behalf_of = user, "a context acts for a person");
        }
        let caller = Caller {
            principal: identity.principal,
            correlation_id: call.correlation_id.clone(),
            deadline: call.deadline.unwrap_or_else(|| Instant::now() + NO_DEADLINE),
        };
        call.request.extensions_mut().insert(caller);
        rest.answer(call).await
    }
}
