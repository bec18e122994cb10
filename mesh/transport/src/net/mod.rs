//! Connections out of this process: an address, and a stream to it, with TLS or without.
//!
//! The protocol over the stream (HTTP/2 to another context, HTTP/1.1 to an issuer of tokens) is up to its user.

mod address;
mod connector;
mod dial;

pub use address::{Address, AddressError, printable};
pub use connector::Connector;
pub(crate) use dial::{Dialled, Stream, dial};
