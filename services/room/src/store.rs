//! The context's tables. SQL errors are classified here and nowhere else.

pub mod entity;
mod migration;
pub mod nights;
pub mod rooms;
pub mod search;

pub use migration::SCHEMA;
