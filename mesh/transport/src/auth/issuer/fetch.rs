//! Fetches one small document over HTTP, without following redirects.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use http::{
    Request, StatusCode, Uri,
    header::{ACCEPT, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_rustls::rustls::ClientConfig;

use crate::net::{Address, AddressError, Dialled, dial};

/// A provider's description or its keys are a few KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Why a document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("the URL cannot be requested")]
    Request(#[from] http::Error),
    /// Also a redirect: an attacker who can cause one would choose the keys that are trusted.
    #[error("it answered with {0}")]
    Status(StatusCode),
    #[error("it is larger than {MAX_BYTES} bytes, or ended early")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it is not UTF-8")]
    Text(#[from] std::string::FromUtf8Error),
}

/// The document at `url`. Has no timeout of its own: the caller sets one.
pub(super) async fn fetch(url: &Uri, tls: &Arc<ClientConfig>) -> Result<String, FetchError> {
    let address = Address::of(url)?;
    let Dialled { stream, .. } = dial(&address, tls).await.map_err(FetchError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, address.authority().as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("jumak/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(FetchError::Body)?;
        Ok(String::from_utf8(body.to_bytes().into())?)
    };
    // The connection is driven by its own task and ends with the exchange: one document, one connection.
    let connection = async {
        // The exchange gets the same error.
        connection.await.ok();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        document = exchange => document,
        never = connection => match never {},
    }
}
