//! What the tests of several crates of the mesh share. No crate depends on it but for its tests.

#![warn(unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod authority;
mod events;
#[cfg(feature = "lifecycle")]
pub mod lifecycle;
mod waiting;

pub use self::{
    authority::Authority,
    events::{event, events},
    waiting::eventually,
};
