//! Authenticates the caller.

use http::header::AUTHORIZATION;
use mesh_foundation::call::Caller;
use mesh_transport::auth::verify::Verifier;
use tokio::time::sleep;

use super::{
    body::cut,
    connection::Usage,
    layer::{Around, Call, Reply, Rest, refuse},
};

/// Verifies the token and puts its bearer, a [`Caller`], into the request's extensions for the handler.
#[derive(Clone)]
pub(super) struct Identity(pub Verifier);

impl Around for Identity {
    async fn around(&self, mut call: Call, rest: &impl Rest) -> Reply {
        let identity = match self.0.authenticate(call.request.headers().get_all(AUTHORIZATION)).await {
            Ok(identity) => identity,
            Err(refusal) => return refuse(refusal),
        };
        if let Some(usage) = call.request.extensions().get::<Usage>() {
            usage.accepted();
        }
        // Removed: no handler needs the token, and code without the token cannot log it or pass it on.
        call.request.headers_mut().remove(AUTHORIZATION);
        let (streams, valid) = (call.method.streams, identity.valid_for());
        if let Some(user) = &identity.on_behalf_of {
            tracing::info!(caller = identity.principal.name(), on_behalf_of = user, "a context acts for a person");
        }
        let caller = Caller {
            principal: identity.principal,
            correlation_id: call.correlation_id.clone(),
            deadline: call.deadline,
        };
        call.request.extensions_mut().insert(caller);
        let reply = rest.answer(call).await;
        if !streams {
            return reply;
        }
        // A stream could outlast its token, and a revoked right has to end with the token.
        let expired = self.0.expired();
        cut(reply, async move {
            sleep(valid).await;
            expired.into()
        })
    }
}
