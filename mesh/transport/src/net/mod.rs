//! Connections out of this process: an address, and a stream to whoever listens there, with TLS or without.
//!
//! What speaks over the stream (HTTP/2 to another context, HTTP/1.1 to an issuer of tokens) is its user's matter.

mod address;
mod connector;
mod dial;

pub use address::{Address, AddressError, printable};
pub use connector::Connector;
pub(crate) use dial::{Dialled, Stream, dial};
