//! The stack of layers in front of a context, and the socket that the contexts of a process share.

pub mod limits;
pub mod server;
