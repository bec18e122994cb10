//! Checks that the caller may call the method.

use std::sync::Arc;

use mesh_foundation::{
    call::Caller,
    error::{Error, Reason, Refusal},
};
use mesh_transport::auth::access::AccessTable;

use super::layer::{Around, Call, Reply, Rest, refuse};

/// Looks the method up in the context's table.
#[derive(Clone)]
pub(super) struct Access(pub Arc<AccessTable>);

impl Around for Access {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let allowed = match call.request.extensions().get::<Caller>() {
            Some(caller) => self.0.check(&call.method.name, &caller.principal),
            // Cannot happen below the identity layer. Without that layer every call would be refused.
            None => Err(Refusal::new(Reason::TOKEN_MISSING, "the call has no identity")),
        };
        match allowed {
            Ok(()) => rest.answer(call).await,
            Err(refusal) => refuse(Error::from(refusal)),
        }
    }
}
