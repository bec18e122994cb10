//! The sections that belong to the crates below, as they are read from a file and the environment.

mod bus;
mod issuer;
