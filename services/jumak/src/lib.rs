//! The binary that runs Jumak's contexts, as a library, so that tests can start systems in their own process.
//!
//! | module | what it is |
//! |---|---|
//! | [`house`] | the contexts that run together in one process |
//! | [`embedded`] | all contexts in one process, on one data folder |
//! | [`serve`] | one or several contexts in a mesh |
//! | [`cli`] | the commands |
//! | [`tools`] | the audit, backup, benchmark, calls and demo behind the commands |

// A release build computes the layout of whole commands, whose futures nest deeper than the default allows.
#![recursion_limit = "256"]

pub mod cli;
pub mod embedded;
pub mod house;
pub mod serve;
pub mod tools;

pub use tools::{audit, backup, bench, bus_tools, call, demo};
