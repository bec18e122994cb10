//! Tokens that must not open anything.
