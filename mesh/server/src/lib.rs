//! The stack of layers in front of a context, and the socket that the contexts of a process share.

#![warn(unreachable_pub)]

pub mod limits;
pub mod server;
