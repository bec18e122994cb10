//! No compression is taken: a message that is small on the wire could be of any size in memory.
//!
//! A client that compresses is told so as gRPC has it, with the encodings that are taken, and sends the message again as it is.

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_foundation::error::shown;
use tonic::Status;

use super::layer::{Reply, refuse};

/// How a client says that its messages are compressed.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// How it is told in which ways they may be.
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
    let message = format!("{what}, and this server takes no compression; send it as it is");
    let mut reply = refuse(Status::unimplemented(message));
    reply.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
    reply
}
