//! What the tests of several crates of the mesh share. No crate depends on it but for its tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;
mod events;
mod waiting;

pub use self::{
    authority::Authority,
    events::{event, events},
    waiting::eventually,
};
