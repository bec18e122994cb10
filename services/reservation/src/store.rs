//! The store of reservations, rooms and nights. All SQL of this context is here.

pub(crate) mod entity;
mod migration;
mod nights;
mod reservations;
mod rooms;
mod row;

pub use migration::SCHEMA;
pub use nights::{block, check_left, fewest_left, reoffer};
#[cfg(test)]
pub use nights::{ensure, take};
pub use reservations::{Filter, Reservations, View};
pub use rooms::{deleted_with_stays, find as find_room, learn, offer, read as read_room, stays_cancelled};
