//! The `jumak` binary.
fn main() {}
