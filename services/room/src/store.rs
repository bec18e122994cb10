//! The context's tables. Errors of SQL are told apart here and nowhere else.

pub mod entity;
mod migration;
pub mod nights;
pub mod rooms;
pub mod search;
mod spellings;

pub use migration::SCHEMA;
