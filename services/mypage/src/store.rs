//! The read model's tables: [`write`] applies changes in the consumer's transaction, [`read`] finds what a user may see.

pub mod entity;
mod migration;
pub mod read;
pub mod write;

pub use migration::SCHEMA;
