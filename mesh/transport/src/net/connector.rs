//! The connector of a tonic channel, for clients that are not contexts and need none of a context's layers.

use std::{
    io,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tower::Service;

use super::{Address, Stream, dial};
use crate::tls::Tls;

/// Connects to `http` and `https` addresses. How long that may take is the channel's to say.
#[derive(Clone, Debug)]
pub struct Connector {
    tls: Tls,
}

impl Connector {
    /// With these certificates, at `https` addresses.
    pub const fn new(tls: Tls) -> Self {
        Self { tls }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.client();
        Box::pin(async move {
            let address = Address::of(&uri).map_err(io::Error::other)?;
            Ok(TokioIo::new(dial(&address, &tls).await?.stream))
        })
    }
}
