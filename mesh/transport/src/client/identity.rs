//! Who is calling.

use std::sync::Arc;

use http::{HeaderValue, header::AUTHORIZATION};
use mesh_foundation::error::Error;
use tower::ServiceExt;

use super::{
    TokenSource,
    call::Call,
    failure::Failure,
    layer::{Around, Outcome, Rest},
};

/// Sends the calling context's own token. A call that comes with a token keeps it: the gateway passes on its user's.
#[derive(Clone)]
pub(super) struct Identity {
    pub callee: Arc<str>,
    pub tokens: Arc<dyn TokenSource>,
}

impl Identity {
    fn bearer(&self) -> Result<HeaderValue, Error> {
        let token = self.tokens.token(&self.callee)?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::Internal("a token holds characters that no header can hold".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Around for Identity {
    async fn around(&self, mut call: Call, rest: impl Rest) -> Outcome {
        if !call.request.headers().contains_key(AUTHORIZATION) {
            let bearer = self.bearer().map_err(Failure::unsendable)?;
            call.request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        rest.oneshot(call).await
    }
}
