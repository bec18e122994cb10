//! The contracts themselves.
