//! The lines between contexts: addresses and connections, TLS, tokens and who is believed, and the stack behind every call.

pub mod auth;
pub mod client;
pub mod config;
pub mod net;
pub mod tls;
