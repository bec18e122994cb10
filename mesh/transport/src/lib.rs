//! The transport between contexts: addresses and connections, TLS, tokens and trust, and the stack of layers behind every call.

#![warn(unreachable_pub)]

pub mod auth;
pub mod client;
pub mod config;
pub mod net;
pub mod tls;
