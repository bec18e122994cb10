//! Who is calling, and what that lets them do.
//!
//! Every call brings a bearer token. A person's token comes from an issuer that the context trusts; a context's own token is signed
//! with that context's key, names one callee, and lives a minute. Each context verifies for itself: being behind a gateway, or in
//! the same process, buys nothing.
//!
//! - [`keys`]: the key that a context or the built-in issuer signs with, and its public half.
//! - [`token`]: the claims of a token, and the two issuers that mint tokens.
//! - [`verify`]: from a token to a [`Principal`](mesh_foundation::Principal).
//! - [`issuer`]: the keys of OpenID Connect providers, fetched where they publish them.
//! - [`access`]: who may call which method.

pub mod access;
pub mod issuer;
pub mod keys;
mod signatures;
pub mod token;
pub mod verify;
