//! The contracts themselves: what a reader, a client generator and a gateway may rely on.

mod access;
mod comments;
mod docs;
mod events;
mod reasons;
mod rpcs;
