//! What leaves a process about itself, followed to whoever collects it.

mod away;
mod collector;
pub mod scraper;
mod traces;
