//! Refuses compressed messages: a message that is small on the wire could be of any size in memory.
//!
//! As gRPC demands, the refusal names the supported encodings; the client then sends the message again uncompressed.

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_foundation::error::shown;
use tonic::Status;

use super::layer::{Reply, refuse};

/// The header in which a client names the compression of its messages.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// The header in which a server names the encodings that it supports.
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The refusal of a call whose headers name a compression.
pub(super) fn named_in(headers: &HeaderMap) -> Option<Reply> {
    let encoding = headers.get(ENCODING).filter(|encoding| *encoding != IDENTITY)?;
    let encoding = shown(&String::from_utf8_lossy(encoding.as_bytes()));
    Some(refused(&format!("the messages are compressed with {encoding}")))
}

/// Refuses a call, of which `what` is compressed.
pub(super) fn refused(what: &str) -> Reply {
    let message = format!("{what}, and this server does not support compression; send it uncompressed");
    let mut reply = refuse(Status::unimplemented(message));
    reply.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
    reply
}
